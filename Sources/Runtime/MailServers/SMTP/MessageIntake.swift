internal import DeliveryPolicy
internal import MailStore
internal import MartletBytes
internal import MartletCore
internal import MessageFormat
internal import SMTPProtocol

/// One message on its way in: its header is gathered and looked at, then header and body stream to the spool.
///
/// Memory is the header, at most `maximumHeaderSize`, and what the spool keeps before it takes a file.
final class MessageIntake {
    /// What is put above the message once its header is known: Received, and what submission adds.
    private let trace: (HeaderScan) -> [UInt8]
    private let spool: any SpoolWriter
    /// Lines of a header: with no more of them every field is looked at, so that none hides behind the others.
    static let maximumHeaderLines = MessageLimits.default.maximumFields

    /// What is looked for in the header besides `scan`.
    struct Looks: OptionSet {
        var rawValue: UInt8
        /// Who wrote it: for submission.
        static let originators = Looks(rawValue: 1)
        /// Whether its lines are clean: for BINARYMIME, whose octets no decoder has seen.
        static let lines = Looks(rawValue: 2)
    }

    /// Why a header is not taken.
    enum HeaderExcess {
        case octets(limit: Int)
        case lines(limit: Int)
    }

    /// What the lines of a header may not hold, in BINARYMIME neither (RFC 3030 §3, RFC 5322 §2.2).
    enum HeaderFlaw: String {
        case nul = "NUL"
        case bareCarriageReturn = "CR without LF"
        case bareLineFeed = "LF without CR"
    }

    private let maximumHeaderSize: Int
    private let looks: Looks
    private var header: [UInt8] = []
    private var isHeaderComplete = false
    private(set) var scan = HeaderScan()
    private(set) var originators = Originators()
    private(set) var headerFlaw: HeaderFlaw?
    private(set) var headerExcess: HeaderExcess?
    private(set) var failure: StoreError?
    private var hasEightBit = false
    private var hasEightBitHeader = false

    /// What another server has to take for the message to go there as it is.
    struct Transport {
        var body: BodyType
        var hasEightBitHeader: Bool
    }

    /// - Parameter declared: BODY of MAIL; eight bits that were not declared are eight bits all the same.
    func transport(declared: MailParameters) -> Transport {
        let isBinary = declared.body == .binaryMIME
        return Transport(
            body: isBinary ? .binaryMIME : hasEightBit ? .eightBitMIME : .sevenBit,
            hasEightBitHeader: hasEightBitHeader)
    }

    init(
        spool: any SpoolWriter, maximumHeaderSize: Int, looks: Looks, trace: @escaping (HeaderScan) -> [UInt8]
    ) {
        self.spool = spool
        self.looks = looks
        // What `HeaderScan` does not reach cannot be checked.
        self.maximumHeaderSize = min(maximumHeaderSize, MessageLimits.default.maximumHeaderBytes)
        self.trace = trace
    }

    func append(_ bytes: [UInt8]) {
        guard failure == nil, headerExcess == nil else { return }
        guard !isHeaderComplete else { return write(bytes) }
        let searched = max(0, header.count - 3)
        header += bytes
        let end = header.withUnsafeBytes { bytes -> Int? in
            if bytes.count >= 2, bytes[0] == ASCII.carriageReturn, bytes[1] == ASCII.lineFeed { return 2 }
            return bytes.firstIndex(of: [0x0D, 0x0A, 0x0D, 0x0A], from: searched).map { $0 + 4 }
        }
        if let end {
            headerEnded(at: end)
        } else if header.count > maximumHeaderSize {
            refuseHeader(.octets(limit: maximumHeaderSize))
        }
    }

    /// - Parameter end: where the body begins in what was gathered.
    private func headerEnded(at end: Int) {
        isHeaderComplete = true
        guard beginsWithField else { return headerIsMissing() }
        guard end <= maximumHeaderSize else { return refuseHeader(.octets(limit: maximumHeaderSize)) }
        guard lines(before: end) <= MessageIntake.maximumHeaderLines else {
            return refuseHeader(.lines(limit: MessageIntake.maximumHeaderLines))
        }
        scan = HeaderScan.scan(header)
        hasEightBitHeader = header[..<end].contains { $0 >= 0x80 }
        if looks.contains(.originators) { originators = Originators(header: header, end: end) }
        if looks.contains(.lines) { headerFlaw = flaw(before: end) }
        write(trace(scan))
        write(withoutReturnPaths(end))
        header = []
    }

    /// Whether the first line is a field, or the empty line that ends a header without fields. Anything else, a folded line
    /// above all, would become part of the trace that is put above it (RFC 5322 §2.2).
    private var beginsWithField: Bool {
        if header.starts(with: [ASCII.carriageReturn, ASCII.lineFeed]) { return true }
        guard let colon = header.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return false }
        var end = colon
        // Obsolete syntax has blanks before the colon (RFC 5322 §4.5).
        while end > 0, ASCII.isSpaceOrTab(header[end - 1]) { end -= 1 }
        return end > 0 && header[..<end].allSatisfy { $0 > 0x20 && $0 != 0x7F }
    }

    /// What came is all body: an empty line keeps it so below the trace.
    private func headerIsMissing() {
        write(trace(scan))
        write([ASCII.carriageReturn, ASCII.lineFeed])
        write(header)
        header = []
    }

    private func refuseHeader(_ excess: HeaderExcess) {
        headerExcess = excess
        header = []
    }

    private func flaw(before end: Int) -> HeaderFlaw? {
        header.withUnsafeBytes { bytes in
            for index in 0..<end {
                switch bytes[index] {
                case 0: return .nul
                case ASCII.carriageReturn where index + 1 >= bytes.count || bytes[index + 1] != ASCII.lineFeed:
                    return .bareCarriageReturn
                case ASCII.lineFeed where index == 0 || bytes[index - 1] != ASCII.carriageReturn:
                    return .bareLineFeed
                default: continue
                }
            }
            return nil
        }
    }

    private func lines(before end: Int) -> Int {
        header.withUnsafeBytes { bytes in
            var count = 0
            var index = 0
            while let lineFeed = bytes.firstIndex(ofByte: ASCII.lineFeed, from: index), lineFeed < end {
                count += 1
                index = lineFeed + 1
            }
            return count
        }
    }

    /// RFC 5321 §4.4: final delivery puts its own Return-Path at the top and may take others out; a second one would only mislead.
    private func withoutReturnPaths(_ end: Int) -> [UInt8] {
        let places = header.withUnsafeBytes { bytes -> [Range<Int>] in
            let fields = HeaderFields(bytes, in: 0..<end)
            return fields.compactMap { fields.isNamed($0, "return-path") ? $0.whole : nil }
        }
        guard !places.isEmpty else { return header }
        var kept: [UInt8] = []
        var position = 0
        for place in places {
            kept += header[position..<place.lowerBound]
            position = place.upperBound
        }
        return kept + header[position...]
    }

    private func write(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        if !hasEightBit { hasEightBit = bytes.contains { $0 >= 0x80 } }
        failure = bytes.withUnsafeBytes { bytes -> StoreError? in
            do throws(StoreError) { try spool.append(bytes) } catch { return error }
            return nil
        }
    }

    /// Octets that were written, trace included.
    var size: Int { spool.size }

    /// The message is complete: one without an empty line is all header.
    func endHeader() {
        if !isHeaderComplete, headerExcess == nil { headerEnded(at: header.count) }
    }

    /// Ends the message, after `endHeader`.
    func finish() throws(StoreError) -> SpooledMessage {
        if let failure { throw failure }
        return try spool.finish()
    }

    func discard() { spool.discard() }
}

extension Originators {
    /// Reads the fields of a header that ends at `end`.
    init(header: [UInt8], end: Int, limits: MessageLimits = .default) {
        self.init()
        header.withUnsafeBytes { bytes in
            let walk = HeaderFields(bytes, in: 0..<end, limits: limits)
            for field in walk {
                guard let name = Originators.name(of: field, walk) else { continue }
                let entries = AddressList.parse(bytes.clamped(field.value), limits: limits).entries
                let addresses = entries.compactMap { entry -> String? in
                    guard case .mailbox(_, _, let local, let domain) = entry else { return nil }
                    return Originators.text(local: local, domain: domain)
                }
                fields.append(Field(name, addresses, isCutOff: entries.count >= limits.maximumAddresses))
            }
        }
    }

    private static func name(of field: HeaderField, _ walk: HeaderFields) -> FieldName? {
        if walk.isNamed(field, "from") { return .from }
        if walk.isNamed(field, "sender") { return .sender }
        if walk.isNamed(field, "resent-from") { return .resentFrom }
        return walk.isNamed(field, "resent-sender") ? .resentSender : nil
    }

    /// The address with its quotes where it needs them; other text as it stands.
    private static func text(local: [UInt8], domain: [UInt8]) -> String {
        let localText = String(decoding: local, as: UTF8.self)
        guard !domain.isEmpty else { return localText }
        let domainText = String(decoding: domain, as: UTF8.self)
        guard let host = Domain(domainText), let address = EmailAddress(localPart: localText, domain: host) else {
            return "\(localText)@\(domainText)"
        }
        return address.description
    }
}
