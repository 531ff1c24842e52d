internal import MartletBytes

extension CommandReader {
    /// select = "SELECT" SP mailbox [SP "(" select-param *(SP select-param) ")"], RFC 4466 §2.1
    mutating func readSelect() throws(CommandParseError) -> (MailboxName, SelectParameters) {
        try readSpace()
        let mailbox = try readMailbox()
        var parameters = SelectParameters()
        guard readIf(0x20) else { return (mailbox, parameters) }
        try readList(isEmptyAllowed: false) { (reader) throws(CommandParseError) in
            let start = reader.index
            let name = reader.readWord()
            if reader.word(name, is: "CONDSTORE") {
                parameters.condStore = true
            } else if reader.word(name, is: "QRESYNC"), parameters.qresync == nil {
                try reader.readSpace()
                parameters.qresync = try reader.readQResync()
            } else {
                throw reader.failure(.unknownItem, at: start)
            }
        }
        return (mailbox, parameters)
    }

    /// "QRESYNC" SP "(" uidvalidity SP mod-sequence [SP known-uids] [SP seq-match-data] ")", RFC 7162 §7
    private mutating func readQResync() throws(CommandParseError) -> QResyncParameters {
        try readOpen()
        let uidValidity = try readNonZero32()
        try readSpace()
        var parameters = QResyncParameters(uidValidity: uidValidity, modSeq: try readNumber64(minimum: 1))
        if peek() == 0x20, peek(1) != 0x28 {
            index += 1
            parameters.knownUIDs = try readSequenceSet()
        }
        if readIf(0x20) {
            try readOpen()
            parameters.matchSequences = try readSequenceSet()
            try readSpace()
            parameters.matchUIDs = try readSequenceSet()
            try readClose()
        }
        try readClose()
        return parameters
    }

    /// create = "CREATE" SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"], RFC 6154 §6
    mutating func readCreate() throws(CommandParseError) -> Command {
        try readSpace()
        let mailbox = try readMailbox()
        var use: [SpecialUseAttribute] = []
        var unknown: Int?
        guard readIf(0x20) else { return .create(mailbox, use: use) }
        try readOpen()
        guard word(readWord(), is: "USE") else { throw failure(.unknownItem) }
        try readSpace()
        try readList(isEmptyAllowed: true) { (reader) throws(CommandParseError) in
            let start = reader.index
            guard reader.readIf(0x5C) else { throw reader.failure(.unknownItem) }
            let name = try reader.readAtom()
            let match = SpecialUseAttribute.allCases.first { attribute in
                attribute.rawValue.utf8.dropFirst().map { ASCII.lowercased($0) }
                    == reader.bytes[name].map { ASCII.lowercased($0) }
            }
            if let match {
                if !use.contains(match) { use.append(match) }
            } else {
                unknown = unknown ?? start
            }
        }
        try readClose()
        try expectEnd()
        // Well formed, and not known here.
        if let unknown { throw failure(.unknownUse, at: unknown) }
        return .create(mailbox, use: use)
    }

    /// status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
    mutating func readStatus() throws(CommandParseError) -> Command {
        try readSpace()
        let mailbox = try readMailbox()
        try readSpace()
        return .status(mailbox, try readStatusItems())
    }

    mutating func readStatusItems() throws(CommandParseError) -> StatusItems {
        var items: StatusItems = []
        try readList(isEmptyAllowed: false) { (reader) throws(CommandParseError) in
            let start = reader.index
            let name = reader.readWord()
            if reader.word(name, is: "MESSAGES") {
                items.insert(.messages)
            } else if reader.word(name, is: "UIDNEXT") {
                items.insert(.uidNext)
            } else if reader.word(name, is: "UIDVALIDITY") {
                items.insert(.uidValidity)
            } else if reader.word(name, is: "UNSEEN") {
                items.insert(.unseen)
            } else if reader.word(name, is: "RECENT") {
                items.insert(.recent)
            } else if reader.word(name, is: "DELETED") {
                items.insert(.deleted)
            } else if reader.word(name, is: "SIZE") {
                items.insert(.size)
            } else if reader.word(name, is: "HIGHESTMODSEQ") {
                items.insert(.highestModSeq)
            } else if reader.word(name, is: "APPENDLIMIT") {
                items.insert(.appendLimit)
            } else {
                throw reader.failure(.unknownItem, at: start)
            }
        }
        return items
    }

    // MARK: LIST

    /// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts], RFC 9051 §9
    mutating func readListCommand() throws(CommandParseError) -> ListCommand {
        try readSpace()
        var command = ListCommand(reference: "", patterns: [])
        if peek() == 0x28 {
            command.isExtended = true
            command.selection = try readSelection()
            try readSpace()
        }
        let referenceStart = index
        command.reference = try pattern(try readAString(), at: referenceStart)
        try readSpace()
        if peek() == 0x28 {
            command.isExtended = true
            try readList(isEmptyAllowed: false) { (reader) throws(CommandParseError) in
                let start = reader.index
                command.patterns.append(try reader.pattern(try reader.readListMailbox(), at: start))
            }
        } else {
            let start = index
            command.patterns = [try pattern(try readListMailbox(), at: start)]
        }
        if readIf(0x20) {
            command.isExtended = true
            guard word(readWord(), is: "RETURN") else { throw failure(.unknownItem) }
            try readSpace()
            try readReturnOptions(into: &command)
        }
        return command
    }

    private mutating func readSelection() throws(CommandParseError) -> ListCommand.Selection {
        let listStart = index
        var selection: ListCommand.Selection = []
        try readList(isEmptyAllowed: true) { (reader) throws(CommandParseError) in
            let start = reader.index
            let name = reader.readWord()
            if reader.word(name, is: "SUBSCRIBED") {
                selection.insert(.subscribed)
            } else if reader.word(name, is: "REMOTE") {
                selection.insert(.remote)
            } else if reader.word(name, is: "RECURSIVEMATCH") {
                selection.insert(.recursiveMatch)
            } else if reader.word(name, is: "SPECIAL-USE") {
                selection.insert(.specialUse)
            } else {
                throw reader.failure(.unknownItem, at: start)
            }
        }
        // RFC 9051 §6.3.9.1: RECURSIVEMATCH modifies another option, and REMOTE is none that it can modify.
        if selection.contains(.recursiveMatch), selection.isDisjoint(with: [.subscribed, .specialUse]) {
            throw failure(.recursiveMatchAlone, at: listStart)
        }
        return selection
    }

    private mutating func readReturnOptions(into command: inout ListCommand) throws(CommandParseError) {
        var returns: ListCommand.Return = []
        var status: StatusItems?
        try readList(isEmptyAllowed: true) { (reader) throws(CommandParseError) in
            let start = reader.index
            let name = reader.readWord()
            if reader.word(name, is: "SUBSCRIBED") {
                returns.insert(.subscribed)
            } else if reader.word(name, is: "CHILDREN") {
                returns.insert(.children)
            } else if reader.word(name, is: "SPECIAL-USE") {
                returns.insert(.specialUse)
            } else if reader.word(name, is: "STATUS") {
                try reader.readSpace()
                status = try reader.readStatusItems()
            } else {
                throw reader.failure(.unknownItem, at: start)
            }
        }
        command.returns = returns
        command.status = status
    }
}
