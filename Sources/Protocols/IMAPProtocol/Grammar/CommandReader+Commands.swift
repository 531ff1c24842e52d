internal import MartletBytes
internal import MartletCore

extension CommandReader {
    /// Everything behind the tag.
    mutating func readCommand() throws(CommandParseError) -> Command {
        var start = index
        var name = readWord()
        var uid = false
        if word(name, is: "UID") {
            uid = true
            try readSpace()
            start = index
            name = readWord()
        }
        let command = try readArguments(of: name, uid: uid, at: start)
        try expectEnd()
        return command
    }

    private mutating func readArguments(of name: Range<Int>, uid: Bool, at start: Int) throws(CommandParseError)
        -> Command
    {
        // The commonest first.
        if word(name, is: "FETCH") { return .fetch(try readFetch(uid: uid)) }
        if word(name, is: "STORE") { return .store(try readStore(uid: uid)) }
        if word(name, is: "SEARCH") { return .search(try readSearch(uid: uid)) }
        if word(name, is: "COPY") || word(name, is: "MOVE") {
            try readSpace()
            let set = try readSequenceSet()
            try readSpace()
            let mailbox = try readMailbox()
            return word(name, is: "COPY") ? .copy(set, to: mailbox, uid: uid) : .move(set, to: mailbox, uid: uid)
        }
        if word(name, is: "EXPUNGE") {
            guard uid else { return .expunge(uids: nil) }
            try readSpace()
            return .expunge(uids: try readSequenceSet())
        }
        guard !uid else { throw failure(.unknownCommand, at: start) }
        if word(name, is: "NOOP") { return .noop }
        if word(name, is: "IDLE") { return .idle }
        if word(name, is: "STATUS") { return try readStatus() }
        if word(name, is: "SELECT") {
            let (mailbox, parameters) = try readSelect()
            return .select(mailbox, parameters)
        }
        if word(name, is: "EXAMINE") {
            let (mailbox, parameters) = try readSelect()
            return .examine(mailbox, parameters)
        }
        if word(name, is: "APPEND") {
            try readSpace()
            let mailbox = try readMailbox()
            return .append(mailbox, try readAppendMessage())
        }
        if word(name, is: "LIST") { return .list(try readListCommand()) }
        if word(name, is: "LSUB") {
            try readSpace()
            let referenceStart = index
            let reference = try pattern(try readAString(), at: referenceStart)
            try readSpace()
            let patternStart = index
            return .lsub(reference: reference, pattern: try pattern(try readListMailbox(), at: patternStart))
        }
        if word(name, is: "CAPABILITY") { return .capability }
        if word(name, is: "LOGIN") {
            try readSpace()
            let user = try readAStringText()
            try readSpace()
            return .login(user: user, password: Secret(octets(try readAString())))
        }
        if word(name, is: "LOGOUT") { return .logout }
        if word(name, is: "CLOSE") { return .close }
        if word(name, is: "UNSELECT") { return .unselect }
        if word(name, is: "CHECK") { return .check }
        if word(name, is: "NAMESPACE") { return .namespace }
        if word(name, is: "STARTTLS") { return .startTLS }
        if word(name, is: "CREATE") { return try readCreate() }
        if word(name, is: "DELETE") { return .delete(try readSpaceAndMailbox()) }
        if word(name, is: "SUBSCRIBE") { return .subscribe(try readSpaceAndMailbox()) }
        if word(name, is: "UNSUBSCRIBE") { return .unsubscribe(try readSpaceAndMailbox()) }
        if word(name, is: "RENAME") {
            let from = try readSpaceAndMailbox()
            return .rename(from: from, to: try readSpaceAndMailbox())
        }
        if word(name, is: "ENABLE") { return try readEnable() }
        if word(name, is: "AUTHENTICATE") { return try readAuthenticate() }
        if word(name, is: "ID") { return try readID() }
        throw failure(.unknownCommand, at: start)
    }

    private mutating func readSpaceAndMailbox() throws(CommandParseError) -> MailboxName {
        try readSpace()
        return try readMailbox()
    }

    /// enable = "ENABLE" 1*(SP capability), RFC 5161 §4
    private mutating func readEnable() throws(CommandParseError) -> Command {
        var names: [String] = []
        repeat {
            try readSpace()
            if names.count == limits.listElements { throw failure(.limit(.listElements)) }
            names.append(uppercased(try readAtom()))
        } while !isAtEnd
        return .enable(names)
    }

    /// authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")], RFC 4959 §7
    private mutating func readAuthenticate() throws(CommandParseError) -> Command {
        try readSpace()
        let mechanism = uppercased(try readAtom())
        guard readIf(0x20) else { return .authenticate(mechanism: mechanism, initialResponse: nil) }
        let start = index
        index = bytes.count
        let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
        if rest.count == 1, rest[0] == 0x3D { return .authenticate(mechanism: mechanism, initialResponse: Secret([])) }
        guard !rest.isEmpty, let response = Base64.decode(rest) else { throw failure(.invalidBase64, at: start) }
        return .authenticate(mechanism: mechanism, initialResponse: Secret(response))
    }

    /// id = "ID" SP id-params-list (RFC 2971 §4): 30 fields at most (§3.3).
    private mutating func readID() throws(CommandParseError) -> Command {
        try readSpace()
        if peek() != 0x28 {
            guard word(readWord(), is: "NIL") else { throw failure(.expected(.list)) }
            return .id(nil)
        }
        var fields: [IDField] = []
        try readList(isEmptyAllowed: true) { (reader) throws(CommandParseError) in
            if fields.count == 30 { throw reader.failure(.limit(.listElements)) }
            let name = try reader.text(try reader.readString())
            try reader.readSpace()
            fields.append(IDField(name: name, value: try reader.readNString()))
        }
        return .id(fields)
    }

    private mutating func readNString() throws(CommandParseError) -> String? {
        let octet = peek()
        if octet == 0x22 || octet == 0x7B { return try text(try readString()) }
        guard word(readWord(), is: "NIL") else { throw failure(.expected(.string)) }
        return nil
    }
}
