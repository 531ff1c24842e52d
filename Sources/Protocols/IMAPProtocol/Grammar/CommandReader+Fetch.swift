internal import MartletBytes

extension CommandReader {
    /// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
    /// [SP fetch-modifiers] (RFC 9051 §9, RFC 4466 §2.4)
    mutating func readFetch(uid: Bool) throws(CommandParseError) -> FetchCommand {
        try readSpace()
        var command = FetchCommand(set: try readSequenceSet(), uid: uid, items: [])
        try readSpace()
        if peek() == 0x28 {
            var items: [FetchItem] = []
            try readList(isEmptyAllowed: false) { (reader) throws(CommandParseError) in
                if items.count == reader.limits.fetchItems { throw reader.failure(.limit(.fetchItems)) }
                items.append(try reader.readFetchItem())
            }
            command.items = items
        } else {
            command.items = try readMacroOrItem()
        }
        guard readIf(0x20) else { return command }
        try readList(isEmptyAllowed: false) { (reader) throws(CommandParseError) in
            let start = reader.index
            let name = reader.readWord()
            if reader.word(name, is: "CHANGEDSINCE") {
                try reader.readSpace()
                // 0 is no mod-sequence (RFC 7162 §7), but clients without one to remember send it, and mean "everything".
                command.changedSince = try reader.readNumber64()
            } else if reader.word(name, is: "VANISHED") {
                command.vanished = true
            } else {
                throw reader.failure(.unknownItem, at: start)
            }
        }
        // RFC 7162 §3.2.6: VANISHED only with UID FETCH and CHANGEDSINCE.
        if command.vanished, !uid || command.changedSince == nil { throw failure(.unknownItem) }
        return command
    }

    private mutating func readMacroOrItem() throws(CommandParseError) -> [FetchItem] {
        let start = index
        let name = readWord()
        if word(name, is: "ALL") { return FetchItem.all }
        if word(name, is: "FAST") { return FetchItem.fast }
        if word(name, is: "FULL") { return FetchItem.full }
        index = start
        return [try readFetchItem()]
    }

    private mutating func readFetchItem() throws(CommandParseError) -> FetchItem {
        let start = index
        let name = readWord()
        if word(name, is: "FLAGS") { return .flags }
        if word(name, is: "UID") { return .uid }
        if word(name, is: "BODY.PEEK") { return try readSectionItem(peek: true) }
        if word(name, is: "BODY") { return peek() == 0x5B ? try readSectionItem(peek: false) : .body }
        if word(name, is: "ENVELOPE") { return .envelope }
        if word(name, is: "INTERNALDATE") { return .internalDate }
        if word(name, is: "RFC822.SIZE") { return .size }
        if word(name, is: "BODYSTRUCTURE") { return .bodyStructure }
        if word(name, is: "MODSEQ") { return .modSeq }
        if word(name, is: "RFC822") { return .rfc822 }
        if word(name, is: "RFC822.HEADER") { return .rfc822Header }
        if word(name, is: "RFC822.TEXT") { return .rfc822Text }
        if word(name, is: "BINARY.SIZE") { return .binarySize(part: try readBinaryPart()) }
        if word(name, is: "BINARY.PEEK") || word(name, is: "BINARY") {
            let part = try readBinaryPart()
            return .binary(part: part, partial: try readPartial(), peek: word(name, is: "BINARY.PEEK"))
        }
        if word(name, is: "EMAILID") { return .emailID }
        if word(name, is: "THREADID") { return .threadID }
        if word(name, is: "SAVEDATE") { return .saveDate }
        if word(name, is: "PREVIEW") {
            guard peek() == 0x20, peek(1) == 0x28 else { return .preview(lazy: false) }
            index += 2
            guard word(readWord(), is: "LAZY") else { throw failure(.unknownItem) }
            try readClose()
            return .preview(lazy: true)
        }
        throw failure(.unknownItem, at: start)
    }

    private mutating func readSectionItem(peek isPeek: Bool) throws(CommandParseError) -> FetchItem {
        try expect(0x5B, .section)
        let section = try readSection()
        try expect(0x5D, .section)
        return .section(section, partial: try readPartial(), peek: isPeek)
    }

    /// section-spec = section-msgtext / (section-part ["." section-text])
    private mutating func readSection() throws(CommandParseError) -> SectionSpecifier {
        var section = SectionSpecifier()
        guard peek() != 0x5D else { return section }
        while ASCII.isDigit(peek()) {
            if section.part.count == limits.partDepth { throw failure(.limit(.partDepth)) }
            section.part.append(try readNonZero32())
            guard readIf(0x2E) else { return section }
        }
        let start = index
        let name = readWord()
        if word(name, is: "HEADER") {
            section.text = .header
        } else if word(name, is: "TEXT") {
            section.text = .text
        } else if word(name, is: "MIME"), !section.part.isEmpty {
            section.text = .mime
        } else if word(name, is: "HEADER.FIELDS") {
            section.text = .headerFields(try readHeaderNames())
        } else if word(name, is: "HEADER.FIELDS.NOT") {
            section.text = .headerFieldsNot(try readHeaderNames())
        } else {
            throw failure(.expected(.section), at: start)
        }
        return section
    }

    /// header-list = "(" header-fld-name *(SP header-fld-name) ")"
    private mutating func readHeaderNames() throws(CommandParseError) -> [String] {
        try readSpace()
        var names: [String] = []
        try readList(isEmptyAllowed: false) { (reader) throws(CommandParseError) in
            names.append(try reader.readAStringText())
        }
        return names
    }

    /// section-binary = "[" [section-part] "]", RFC 3516 §7
    private mutating func readBinaryPart() throws(CommandParseError) -> [UInt32] {
        try expect(0x5B, .section)
        var part: [UInt32] = []
        if peek() != 0x5D {
            repeat {
                if part.count == limits.partDepth { throw failure(.limit(.partDepth)) }
                part.append(try readNonZero32())
            } while readIf(0x2E)
        }
        try expect(0x5D, .section)
        return part
    }

    /// partial = "<" number64 "." nz-number64 ">"
    private mutating func readPartial() throws(CommandParseError) -> PartialRange? {
        guard readIf(0x3C) else { return nil }
        let offset = try readNumber64()
        try expect(0x2E, .number)
        let length = try readNumber64(minimum: 1)
        try expect(0x3E, .number)
        return PartialRange(offset: offset, length: length)
    }
}
