internal import MartletBytes

extension CommandReader {
    // MARK: Flags

    /// flag-list = "(" [flag *(SP flag)] ")"
    mutating func readFlagList() throws(CommandParseError) -> FlagList {
        var flags = FlagList()
        try readList(isEmptyAllowed: true) { (reader) throws(CommandParseError) in try reader.readFlag(into: &flags) }
        return flags
    }

    mutating func readFlag(into flags: inout FlagList) throws(CommandParseError) {
        let start = index
        if readIf(0x5C) {
            let name = readWord()
            if word(name, is: "SEEN") {
                flags.system.insert(.seen)
            } else if word(name, is: "DELETED") {
                flags.system.insert(.deleted)
            } else if word(name, is: "FLAGGED") {
                flags.system.insert(.flagged)
            } else if word(name, is: "ANSWERED") {
                flags.system.insert(.answered)
            } else if word(name, is: "DRAFT") {
                flags.system.insert(.draft)
            } else {
                throw failure(.unknownFlag, at: start)
            }
            return
        }
        let keyword = string(try readAtom())
        if flags.keywords.count == limits.listElements { throw failure(.limit(.listElements)) }
        if !flags.keywords.contains(where: { ASCII.equalsIgnoringCase($0.utf8, keyword.utf8) }) {
            flags.keywords.append(keyword)
        }
    }

    // MARK: STORE

    /// store = "STORE" SP sequence-set [SP store-modifiers] SP store-att-flags (RFC 9051 §9, RFC 4466 §2.5)
    mutating func readStore(uid: Bool) throws(CommandParseError) -> StoreCommand {
        try readSpace()
        var command = StoreCommand(set: try readSequenceSet(), uid: uid, operation: .replace, flags: FlagList())
        try readSpace()
        if peek() == 0x28 {
            try readList(isEmptyAllowed: false) { (reader) throws(CommandParseError) in
                let start = reader.index
                guard reader.word(reader.readWord(), is: "UNCHANGEDSINCE") else {
                    throw reader.failure(.unknownItem, at: start)
                }
                try reader.readSpace()
                command.unchangedSince = try reader.readNumber64()
            }
            try readSpace()
        }
        if readIf(0x2B) {
            command.operation = .add
        } else if readIf(0x2D) {
            command.operation = .remove
        }
        let start = index
        let name = readWord()
        if word(name, is: "FLAGS.SILENT") {
            command.silent = true
        } else if !word(name, is: "FLAGS") {
            throw failure(.unknownItem, at: start)
        }
        try readSpace()
        if peek() == 0x28 {
            command.flags = try readFlagList()
            return command
        }
        var count = 0
        repeat {
            count += 1
            if count > limits.listElements { throw failure(.limit(.listElements)) }
            try readFlag(into: &command.flags)
        } while readIf(0x20)
        return command
    }

    // MARK: APPEND

    /// append-message = [SP flag-list] [SP date-time] SP (literal / literal8 / "UTF8" SP "(" literal8), without the octets
    /// (RFC 3502 §6, RFC 3516 §7, RFC 6855 §4).
    mutating func readAppendMessage() throws(CommandParseError) -> AppendMessage {
        var message = AppendMessage(length: 0)
        try readSpace()
        if peek() == 0x28 {
            message.flags = try readFlagList()
            try readSpace()
        }
        if peek() == 0x22 {
            message.date = try readDateTime()
            try readSpace()
        }
        if peek() | 0x20 == 0x75 {
            guard word(readWord(), is: "UTF8") else { throw failure(.expected(.literal)) }
            try readSpace()
            try readOpen()
            message.isUTF8 = true
        }
        message.isBinary = readIf(0x7E)
        if message.isUTF8, !message.isBinary { throw failure(.expected(.literal)) }
        try expect(0x7B, .literal)
        // The framer takes `{}` for no literal, and would wait for no message.
        guard ASCII.isDigit(peek()) else { throw failure(.expected(.literal)) }
        // A number that does not fit is too large for every limit.
        message.length = readSaturatedNumber()
        message.isSynchronizing = !readIf(0x2B)
        try expect(0x7D, .literal)
        try expectEnd()
        return message
    }

    private mutating func readSaturatedNumber() -> UInt64 {
        var value: UInt64 = 0
        while ASCII.isDigit(peek()) {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(bytes[index] &- 0x30))
            value = overflow || carry || value == .max ? .max : sum
            index += 1
        }
        return value
    }
}
