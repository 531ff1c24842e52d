internal import MartletBytes
public import MartletCore

/// FETCH (RFC 9051 §7.5.2), piece by piece: `beginFetch`, any of the items, `endFetch`.
extension ResponseWriter {
    /// `* n FETCH (`
    public mutating func beginFetch(_ sequence: UInt32) {
        text("* ")
        number(sequence)
        text(" FETCH (")
        isFirstItem = true
    }

    /// `)` CRLF
    public mutating func endFetch() { text(")\r\n") }

    @inline(__always)
    private mutating func item(_ name: StaticString) {
        if !isFirstItem { bytes.append(0x20) }
        isFirstItem = false
        text(name)
    }

    public mutating func fetchUID(_ uid: UInt32) {
        item("UID ")
        number(uid)
    }

    /// - Parameters:
    ///   - bits: the store's `Flags`: bits 0 to 4 as in `SystemFlags`, bit 5 + n is keyword n.
    ///   - keywords: the mailbox's keyword names.
    ///   - isRecent: \Recent of RFC 3501 §2.3.2.
    public mutating func fetchFlags(_ bits: UInt64, keywords: [String], isRecent: Bool = false) {
        item("FLAGS (")
        var isFirst = true
        @inline(__always)
        func flag(_ writer: inout ResponseWriter, _ name: StaticString) {
            if !isFirst { writer.bytes.append(0x20) }
            isFirst = false
            writer.text(name)
        }
        if bits & 0x1F != 0 {
            if bits & 2 != 0 { flag(&self, "\\Answered") }
            if bits & 4 != 0 { flag(&self, "\\Flagged") }
            if bits & 8 != 0 { flag(&self, "\\Deleted") }
            if bits & 1 != 0 { flag(&self, "\\Seen") }
            if bits & 16 != 0 { flag(&self, "\\Draft") }
        }
        if isRecent { flag(&self, "\\Recent") }
        var rest = bits >> 5
        while rest != 0 {
            let index = rest.trailingZeroBitCount
            rest &= rest - 1
            guard index < keywords.count else { break }
            if !isFirst { bytes.append(0x20) }
            isFirst = false
            ascii(keywords[index])
        }
        bytes.append(0x29)
    }

    public mutating func fetchInternalDate(_ date: Instant) {
        item("INTERNALDATE ")
        dateTime(date)
    }

    /// `RFC822.SIZE n`
    public mutating func fetchSize(_ size: Int) {
        item("RFC822.SIZE ")
        number(size)
    }

    /// `MODSEQ (n)` (RFC 7162 §3.1.4)
    public mutating func fetchModSeq(_ modSeq: UInt64) {
        item("MODSEQ (")
        number(modSeq)
        bytes.append(0x29)
    }

    /// - Parameter wire: in wire form with its parentheses, as the store keeps it.
    public mutating func fetchEnvelope(_ wire: [UInt8]) {
        item("ENVELOPE ")
        bytes.append(contentsOf: wire)
    }

    public mutating func fetchBodyStructure(_ wire: [UInt8]) {
        item("BODYSTRUCTURE ")
        bytes.append(contentsOf: wire)
    }

    /// BODY without extension data, made of the wire form with it. NIL-safe: what cannot be read is given as it is.
    public mutating func fetchBody(structure wire: [UInt8]) {
        item("BODY ")
        bytes.append(contentsOf: BodyStructure.withoutExtensions(wire) ?? wire)
    }

    /// `BODY[…]` with all of its octets; nil is NIL (the part is not there).
    public mutating func fetchSection(_ section: SectionSpecifier, origin: UInt64?, _ content: UnsafeRawBufferPointer?)
    {
        sectionName(section, origin: origin)
        if let content { string(content) } else { text("NIL") }
    }

    /// `BODY[…]<origin> {length}` CRLF: exactly `length` octets must follow by `body`, in as many pieces as the shell likes.
    public mutating func fetchSectionHead(_ section: SectionSpecifier, origin: UInt64?, length: Int) {
        sectionName(section, origin: origin)
        literalHead(length: length, isBinary: false)
    }

    /// The items of RFC 3501: `RFC822`, `RFC822.HEADER`, `RFC822.TEXT`. The same with a `length` as for `fetchSectionHead`.
    public mutating func fetchRFC822Head(_ which: FetchItem, length: Int) {
        switch which {
        case .rfc822Header: item("RFC822.HEADER ")
        case .rfc822Text: item("RFC822.TEXT ")
        default: item("RFC822 ")
        }
        literalHead(length: length, isBinary: false)
    }

    /// `BINARY[part]<origin> {length}` or `~{length}` (RFC 3516 §4.2): literal8 is needed only for content with NUL.
    public mutating func fetchBinaryHead(part: [UInt32], origin: UInt64?, length: Int, hasNUL: Bool) {
        item("BINARY[")
        partNumber(part)
        bytes.append(0x5D)
        originSuffix(origin)
        bytes.append(0x20)
        literalHead(length: length, isBinary: hasNUL)
    }

    /// `BINARY[part] NIL`
    public mutating func fetchBinaryNIL(part: [UInt32]) {
        item("BINARY[")
        partNumber(part)
        text("] NIL")
    }

    /// `BINARY.SIZE[part] n`
    public mutating func fetchBinarySize(part: [UInt32], size: Int) {
        item("BINARY.SIZE[")
        partNumber(part)
        text("] ")
        number(size)
    }

    private mutating func sectionName(_ section: SectionSpecifier, origin: UInt64?) {
        item("BODY[")
        partNumber(section.part)
        if !section.part.isEmpty, section.text != .whole { bytes.append(0x2E) }
        switch section.text {
        case .whole: break
        case .header: text("HEADER")
        case .text: text("TEXT")
        case .mime: text("MIME")
        case .headerFields(let names):
            text("HEADER.FIELDS (")
            headerNames(names)
        case .headerFieldsNot(let names):
            text("HEADER.FIELDS.NOT (")
            headerNames(names)
        }
        bytes.append(0x5D)
        originSuffix(origin)
        bytes.append(0x20)
    }

    private mutating func originSuffix(_ origin: UInt64?) {
        guard let origin else { return }
        bytes.append(0x3C)
        number(origin)
        bytes.append(0x3E)
    }

    private mutating func partNumber(_ part: [UInt32]) {
        for (index, level) in part.enumerated() {
            if index > 0 { bytes.append(0x2E) }
            number(level)
        }
    }

    private mutating func headerNames(_ names: [String]) {
        for (index, name) in names.enumerated() {
            if index > 0 { bytes.append(0x20) }
            if !name.isEmpty, name.utf8.allSatisfy(Octet.isAtom), !ASCII.equalsIgnoringCase(name.utf8, "NIL".utf8) {
                ascii(name)
            } else {
                string(name.utf8)
            }
        }
        bytes.append(0x29)
    }

    /// `"dd-Mon-yyyy hh:mm:ss +0000"` (RFC 9051 §9 date-time). Years are four digits.
    public mutating func dateTime(_ date: Instant) {
        let (year, month, day, hour, minute, second) = date.utc
        func two(_ writer: inout ResponseWriter, _ value: Int) {
            writer.bytes.append(UInt8(truncatingIfNeeded: value / 10) &+ 0x30)
            writer.bytes.append(UInt8(truncatingIfNeeded: value % 10) &+ 0x30)
        }
        bytes.append(0x22)
        if day < 10 {
            bytes.append(0x20)
            bytes.append(UInt8(truncatingIfNeeded: day) &+ 0x30)
        } else {
            two(&self, day)
        }
        bytes.append(0x2D)
        text(Months.names[month - 1])
        bytes.append(0x2D)
        let bounded = max(0, min(9_999, year))
        two(&self, bounded / 100)
        two(&self, bounded % 100)
        bytes.append(0x20)
        two(&self, hour)
        bytes.append(0x3A)
        two(&self, minute)
        bytes.append(0x3A)
        two(&self, second)
        text(" +0000\"")
    }
}
