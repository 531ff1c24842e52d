/// Attributes of LIST (RFC 9051 §7.3.1). The use of a mailbox goes beside them.
public struct ListAttributes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let noInferiors = ListAttributes(rawValue: 1)
    public static let noSelect = ListAttributes(rawValue: 1 << 1)
    public static let hasChildren = ListAttributes(rawValue: 1 << 2)
    public static let hasNoChildren = ListAttributes(rawValue: 1 << 3)
    public static let marked = ListAttributes(rawValue: 1 << 4)
    public static let unmarked = ListAttributes(rawValue: 1 << 5)
    public static let nonExistent = ListAttributes(rawValue: 1 << 6)
    public static let subscribed = ListAttributes(rawValue: 1 << 7)
    public static let remote = ListAttributes(rawValue: 1 << 8)
}

/// Values for STATUS; those that are nil are not written.
public struct StatusValues: Sendable, Equatable {
    public var messages: UInt64?
    public var recent: UInt64?
    public var uidNext: UInt32?
    public var uidValidity: UInt32?
    public var unseen: UInt64?
    public var deleted: UInt64?
    public var size: UInt64?
    public var highestModSeq: UInt64?
    public var appendLimit: UInt64?
    public init() {}
}

/// What ESEARCH tells (RFC 9051 §7.3.4). nil is left out; `all` is left out when it is empty.
public struct ESearchResult: Sendable, Equatable {
    public var min: UInt32?
    public var max: UInt32?
    public var count: Int?
    /// Ascending.
    public var all: [UInt32]?
    /// RFC 7162 §3.1.10.
    public var modSeq: UInt64?
    public init(min: UInt32? = nil, max: UInt32? = nil, count: Int? = nil, all: [UInt32]? = nil, modSeq: UInt64? = nil)
    {
        self.min = min
        self.max = max
        self.count = count
        self.all = all
        self.modSeq = modSeq
    }

    /// What `returns` asks for of the numbers that were found, ascending.
    public init(_ numbers: [UInt32], returns: SearchReturn, modSeq: UInt64? = nil) {
        self.init(
            min: returns.contains(.min) ? numbers.first : nil, max: returns.contains(.max) ? numbers.last : nil,
            count: returns.contains(.count) ? numbers.count : nil, all: returns.contains(.all) ? numbers : nil,
            modSeq: numbers.isEmpty ? nil : modSeq)
    }
}

extension ResponseWriter {
    /// `* CAPABILITY …` (RFC 9051 §7.2.2)
    public mutating func capability(_ names: [String]) {
        text("* CAPABILITY ")
        words(names)
        crlf()
    }

    /// `* ENABLED …` (RFC 9051 §7.2.1)
    public mutating func enabled(_ names: [String]) {
        text("* ENABLED")
        for name in names {
            bytes.append(0x20)
            ascii(name)
        }
        crlf()
    }

    /// `* n EXISTS` (RFC 9051 §7.4.1)
    public mutating func exists(_ count: Int) {
        text("* ")
        number(count)
        text(" EXISTS\r\n")
    }

    /// `* n RECENT` (RFC 3501 §7.3.2)
    public mutating func recent(_ count: Int) {
        text("* ")
        number(count)
        text(" RECENT\r\n")
    }

    /// `* n EXPUNGE` (RFC 9051 §7.5.1)
    public mutating func expunge(_ sequence: UInt32) {
        text("* ")
        number(sequence)
        text(" EXPUNGE\r\n")
    }

    /// `* VANISHED (EARLIER) uids` (RFC 7162 §3.2.10); nothing for no UIDs. Ascending.
    public mutating func vanished(_ uids: [UInt32], earlier: Bool) {
        guard !uids.isEmpty else { return }
        text(earlier ? "* VANISHED (EARLIER) " : "* VANISHED ")
        numberSet(uids)
        crlf()
    }

    /// `* FLAGS (…)` (RFC 9051 §7.3.5)
    public mutating func flags(_ system: SystemFlags = .all, keywords: [String]) {
        text("* FLAGS (")
        var isFirst = true
        flagNames(system, keywords: keywords, isFirst: &isFirst)
        text(")\r\n")
    }

    /// `* LIST (…) "/" name (…)` (RFC 9051 §7.3.1).
    ///
    /// - Parameters:
    ///   - childInfo: selection options that a mailbox below it meets: CHILDINFO (RFC 5258 §3.5).
    ///   - oldName: the name that the client used or knew (RFC 9051 §6.3.9.7); only to clients that enabled IMAP4rev2.
    public mutating func list(
        _ attributes: ListAttributes, uses: [SpecialUseAttribute] = [], name: String, childInfo: [String] = [],
        oldName: String? = nil
    ) {
        text("* LIST (")
        listAttributes(attributes, uses: uses)
        text(") \"/\" ")
        mailbox(name)
        if !childInfo.isEmpty || oldName != nil {
            text(" (")
            if !childInfo.isEmpty {
                text("\"CHILDINFO\" (")
                for (index, option) in childInfo.enumerated() {
                    text(index == 0 ? "\"" : " \"")
                    ascii(option)
                    text("\"")
                }
                text(")")
            }
            if let oldName {
                text(childInfo.isEmpty ? "\"OLDNAME\" (" : " \"OLDNAME\" (")
                mailbox(oldName)
                text(")")
            }
            text(")")
        }
        crlf()
    }

    /// The answer to LIST "" "": delimiter and root (RFC 9051 §6.3.9).
    public mutating func listRoot() { text("* LIST (\\Noselect) \"/\" \"\"\r\n") }

    /// `* LSUB (…) "/" name` (RFC 3501 §7.2.3)
    public mutating func lsub(_ attributes: ListAttributes, name: String) {
        text("* LSUB (")
        listAttributes(attributes, uses: [])
        text(") \"/\" ")
        mailbox(name)
        crlf()
    }

    private mutating func listAttributes(_ attributes: ListAttributes, uses: [SpecialUseAttribute]) {
        let names: [(ListAttributes, StaticString)] = [
            (.noInferiors, "\\NoInferiors"), (.noSelect, "\\Noselect"), (.nonExistent, "\\NonExistent"),
            (.hasChildren, "\\HasChildren"),
            (.hasNoChildren, "\\HasNoChildren"), (.marked, "\\Marked"), (.unmarked, "\\Unmarked"),
            (.subscribed, "\\Subscribed"),
            (.remote, "\\Remote"),
        ]
        var isFirst = true
        for (attribute, name) in names where attributes.contains(attribute) {
            if !isFirst { bytes.append(0x20) }
            isFirst = false
            text(name)
        }
        for use in uses {
            if !isFirst { bytes.append(0x20) }
            isFirst = false
            ascii(use.rawValue)
        }
    }

    /// `* STATUS name (…)` (RFC 9051 §7.3.2)
    public mutating func status(_ name: String, _ values: StatusValues) {
        text("* STATUS ")
        mailbox(name)
        text(" (")
        var isFirst = true
        func item(_ writer: inout ResponseWriter, _ label: StaticString, _ value: UInt64?) {
            guard let value else { return }
            if !isFirst { writer.bytes.append(0x20) }
            isFirst = false
            writer.text(label)
            writer.bytes.append(0x20)
            writer.number(value)
        }
        item(&self, "MESSAGES", values.messages)
        item(&self, "RECENT", values.recent)
        item(&self, "UIDNEXT", values.uidNext.map(UInt64.init))
        item(&self, "UIDVALIDITY", values.uidValidity.map(UInt64.init))
        item(&self, "UNSEEN", values.unseen)
        item(&self, "DELETED", values.deleted)
        item(&self, "SIZE", values.size)
        item(&self, "HIGHESTMODSEQ", values.highestModSeq)
        item(&self, "APPENDLIMIT", values.appendLimit)
        text(")\r\n")
    }

    /// `* SEARCH n n (MODSEQ m)` (RFC 3501 §7.2.5, RFC 7162 §3.1.5). No modSeq is written when nothing was found.
    public mutating func search(_ numbers: [UInt32], modSeq: UInt64? = nil) {
        text("* SEARCH")
        for value in numbers {
            bytes.append(0x20)
            number(value)
        }
        if let modSeq, !numbers.isEmpty {
            text(" (MODSEQ ")
            number(modSeq)
            text(")")
        }
        crlf()
    }

    /// `* ESEARCH (TAG "t") UID MIN … ` (RFC 9051 §7.3.4)
    public mutating func esearch(tag: String, uid: Bool, _ result: ESearchResult) {
        text("* ESEARCH (TAG ")
        string(tag.utf8)
        text(uid ? ") UID" : ")")
        if let min = result.min {
            text(" MIN ")
            number(min)
        }
        if let max = result.max {
            text(" MAX ")
            number(max)
        }
        if let count = result.count {
            text(" COUNT ")
            number(count)
        }
        if let all = result.all, !all.isEmpty {
            text(" ALL ")
            numberSet(all)
        }
        if let modSeq = result.modSeq {
            text(" MODSEQ ")
            number(modSeq)
        }
        crlf()
    }

    /// `* NAMESPACE …`: one personal namespace with `/`, no others (RFC 9051 §7.3.3).
    public mutating func namespace() { text("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n") }

    /// `* ID (…)` (RFC 2971 §3.2); no fields give NIL.
    public mutating func id(_ fields: [IDField]) {
        text("* ID ")
        if fields.isEmpty { text("NIL") }
        for (index, field) in fields.enumerated() {
            text(index == 0 ? "(" : " ")
            string(field.name.utf8)
            bytes.append(0x20)
            nstring(field.value)
        }
        text(fields.isEmpty ? "\r\n" : ")\r\n")
    }
}
