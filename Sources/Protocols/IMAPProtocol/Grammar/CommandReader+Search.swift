internal import MartletBytes

extension CommandReader {
    /// search = "SEARCH" [SP "RETURN" SP "(" … ")"] SP ["CHARSET" SP charset SP] search-key *(SP search-key), RFC 9051 §9
    mutating func readSearch(uid: Bool) throws(CommandParseError) -> SearchCommand {
        try readSpace()
        var returns: SearchReturn?
        var charset: String?
        var start = index
        var name = readWord()
        if word(name, is: "RETURN") {
            try readSpace()
            returns = try readSearchReturn()
            savesResult = returns?.contains(.save) ?? false
            try readSpace()
            start = index
            name = readWord()
        }
        if word(name, is: "CHARSET") {
            guard parser.allowsCharset else { throw failure(.charsetForbidden, at: start) }
            try readSpace()
            charset = try readCharset()
            try readSpace()
        } else {
            index = start
        }
        var count = 0
        let key = try readSearchKeys(charset: charset, depth: 0, count: &count)
        return SearchCommand(uid: uid, returns: returns, key: key)
    }

    private mutating func readSearchReturn() throws(CommandParseError) -> SearchReturn {
        var options: SearchReturn = []
        try readList(isEmptyAllowed: true) { (reader) throws(CommandParseError) in
            let start = reader.index
            let name = reader.readWord()
            if reader.word(name, is: "MIN") {
                options.insert(.min)
            } else if reader.word(name, is: "MAX") {
                options.insert(.max)
            } else if reader.word(name, is: "ALL") {
                options.insert(.all)
            } else if reader.word(name, is: "COUNT") {
                options.insert(.count)
            } else if reader.word(name, is: "SAVE") {
                options.insert(.save)
            } else {
                throw reader.failure(.unknownItem, at: start)
            }
        }
        return options.isEmpty ? .all : options
    }

    /// nil for UTF-8 and its subset US-ASCII.
    private mutating func readCharset() throws(CommandParseError) -> String? {
        let start = index
        let name = String(decoding: try readAStringText().utf8.map { ASCII.uppercased($0) }, as: UTF8.self)
        if name == "UTF-8" || name == "US-ASCII" { return nil }
        guard let decode = parser.decodeCharset, decode(name, []) != nil else { throw failure(.badCharset, at: start) }
        return name
    }

    /// Keys side by side: all must match.
    private mutating func readSearchKeys(charset: String?, depth: Int, count: inout Int) throws(CommandParseError)
        -> SearchKey
    {
        let first = try readSearchKey(charset: charset, depth: depth, count: &count)
        guard peek() == 0x20 else { return first }
        var keys = [first]
        while readIf(0x20) { keys.append(try readSearchKey(charset: charset, depth: depth, count: &count)) }
        return .and(keys)
    }

    private mutating func readSearchKey(charset: String?, depth: Int, count: inout Int) throws(CommandParseError)
        -> SearchKey
    {
        count += 1
        if count > limits.searchKeys { throw failure(.limit(.searchKeys)) }
        if depth > limits.searchDepth { throw failure(.limit(.searchDepth)) }
        let octet = peek()
        if octet == 0x28 {
            index += 1
            let key = try readSearchKeys(charset: charset, depth: depth + 1, count: &count)
            try readClose()
            return key
        }
        if octet == 0x24 || octet == 0x2A || ASCII.isDigit(octet) { return .sequence(try readSequenceSet()) }
        let start = index
        let name = readWord()
        if let key = flagKey(name) { return key }
        if let key = try readTextKey(name, charset: charset) { return key }
        if let key = try readDateKey(name) { return key }
        if word(name, is: "NOT") {
            try readSpace()
            return .not(try readSearchKey(charset: charset, depth: depth + 1, count: &count))
        }
        if word(name, is: "OR") {
            try readSpace()
            let left = try readSearchKey(charset: charset, depth: depth + 1, count: &count)
            try readSpace()
            return .or(left, try readSearchKey(charset: charset, depth: depth + 1, count: &count))
        }
        if let key = try readOtherKey(name) { return key }
        throw failure(.expected(.searchKey), at: start)
    }

    private func flagKey(_ name: Range<Int>) -> SearchKey? {
        if word(name, is: "ALL") { return .all }
        if word(name, is: "SEEN") { return .has(.seen) }
        if word(name, is: "UNSEEN") { return .hasNot(.seen) }
        if word(name, is: "DELETED") { return .has(.deleted) }
        if word(name, is: "UNDELETED") { return .hasNot(.deleted) }
        if word(name, is: "FLAGGED") { return .has(.flagged) }
        if word(name, is: "UNFLAGGED") { return .hasNot(.flagged) }
        if word(name, is: "ANSWERED") { return .has(.answered) }
        if word(name, is: "UNANSWERED") { return .hasNot(.answered) }
        if word(name, is: "DRAFT") { return .has(.draft) }
        if word(name, is: "UNDRAFT") { return .hasNot(.draft) }
        if word(name, is: "RECENT") { return .recent }
        if word(name, is: "NEW") { return .new }
        if word(name, is: "OLD") { return .old }
        return nil
    }

    private mutating func readTextKey(_ name: Range<Int>, charset: String?) throws(CommandParseError) -> SearchKey? {
        if word(name, is: "SUBJECT") { return .subject(try readSearchText(charset)) }
        if word(name, is: "FROM") { return .from(try readSearchText(charset)) }
        if word(name, is: "TO") { return .to(try readSearchText(charset)) }
        if word(name, is: "CC") { return .cc(try readSearchText(charset)) }
        if word(name, is: "BCC") { return .bcc(try readSearchText(charset)) }
        if word(name, is: "BODY") { return .body(try readSearchText(charset)) }
        if word(name, is: "TEXT") { return .text(try readSearchText(charset)) }
        if word(name, is: "HEADER") {
            try readSpace()
            let field = try readAStringText()
            return .header(name: field, value: try readSearchText(charset))
        }
        return nil
    }

    private mutating func readSearchText(_ charset: String?) throws(CommandParseError) -> String {
        try readSpace()
        let start = index
        let wire = try readAString()
        guard let charset else { return try text(wire) }
        guard let text = parser.decodeCharset?(charset, octets(wire)) else { throw failure(.badCharset, at: start) }
        return text
    }

    private mutating func readDateKey(_ name: Range<Int>) throws(CommandParseError) -> SearchKey? {
        if word(name, is: "SINCE") { return .since(try readSpaceAndDate()) }
        if word(name, is: "BEFORE") { return .before(try readSpaceAndDate()) }
        if word(name, is: "ON") { return .on(try readSpaceAndDate()) }
        if word(name, is: "SENTSINCE") { return .sentSince(try readSpaceAndDate()) }
        if word(name, is: "SENTBEFORE") { return .sentBefore(try readSpaceAndDate()) }
        if word(name, is: "SENTON") { return .sentOn(try readSpaceAndDate()) }
        return nil
    }

    private mutating func readSpaceAndDate() throws(CommandParseError) -> CalendarDay {
        try readSpace()
        return try readDate()
    }

    private mutating func readOtherKey(_ name: Range<Int>) throws(CommandParseError) -> SearchKey? {
        let isUID = word(name, is: "UID")
        if isUID || word(name, is: "KEYWORD") || word(name, is: "UNKEYWORD") || word(name, is: "LARGER")
            || word(name, is: "SMALLER")
            || word(name, is: "MODSEQ") || word(name, is: "OLDER") || word(name, is: "YOUNGER")
        {
            try readSpace()
        }
        if isUID { return .uid(try readSequenceSet()) }
        if word(name, is: "KEYWORD") { return .keyword(string(try readAtom())) }
        if word(name, is: "UNKEYWORD") { return .unkeyword(string(try readAtom())) }
        if word(name, is: "LARGER") { return .larger(try readNumber64()) }
        if word(name, is: "SMALLER") { return .smaller(try readNumber64()) }
        if word(name, is: "OLDER") { return .older(try readNonZero32()) }
        if word(name, is: "YOUNGER") { return .younger(try readNonZero32()) }
        if word(name, is: "MODSEQ") {
            if peek() == 0x22 { try readModSeqEntry() }
            return .modSeq(try readNumber64())
        }
        return nil
    }

    /// search-modseq-ext = SP entry-name SP entry-type-req, RFC 7162 §7
    private mutating func readModSeqEntry() throws(CommandParseError) {
        _ = try readString()
        try readSpace()
        let start = index
        let type = readWord()
        guard word(type, is: "PRIV") || word(type, is: "SHARED") || word(type, is: "ALL") else {
            throw failure(.unknownItem, at: start)
        }
        try readSpace()
    }
}
