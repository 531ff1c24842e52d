/// SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 7162 §3.1.5).
public struct SearchCommand: Sendable, Equatable {
    public var uid: Bool
    /// nil: no RETURN was written. rev1 then answers with SEARCH, rev2 with ESEARCH as for RETURN (ALL). `RETURN ()` is `[.all]`.
    public var returns: SearchReturn?
    public var key: SearchKey
    public init(uid: Bool, returns: SearchReturn? = nil, key: SearchKey) {
        self.uid = uid
        self.returns = returns
        self.key = key
    }
}

/// Result options of SEARCH (RFC 9051 §6.4.4).
public struct SearchReturn: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let min = SearchReturn(rawValue: 1)
    public static let max = SearchReturn(rawValue: 2)
    public static let all = SearchReturn(rawValue: 4)
    public static let count = SearchReturn(rawValue: 8)
    /// Keep the result as `$` (RFC 5182).
    public static let save = SearchReturn(rawValue: 16)
}

/// A search key (RFC 9051 §6.4.4). Texts are decoded to UTF-8 whatever the CHARSET was.
public indirect enum SearchKey: Sendable, Equatable {
    case all
    /// All of these system flags are set: ANSWERED, DELETED, DRAFT, FLAGGED, SEEN.
    case has(SystemFlags)
    /// None of these is set: UNANSWERED, UNDELETED, …
    case hasNot(SystemFlags)
    case keyword(String)
    case unkeyword(String)
    /// RFC 3501: RECENT, NEW (RECENT UNSEEN), OLD (NOT RECENT).
    case recent
    case new
    case old
    case bcc(String)
    case body(String)
    case cc(String)
    case from(String)
    case subject(String)
    case text(String)
    case to(String)
    /// An empty value asks whether the field is there.
    case header(name: String, value: String)
    case before(CalendarDay)
    case on(CalendarDay)
    case since(CalendarDay)
    case sentBefore(CalendarDay)
    case sentOn(CalendarDay)
    case sentSince(CalendarDay)
    case larger(UInt64)
    case smaller(UInt64)
    case sequence(SequenceSet)
    case uid(SequenceSet)
    /// MODSEQ at least this (RFC 7162 §3.1.5). The entry name is parsed and has no meaning here.
    case modSeq(UInt64)
    /// Seconds (RFC 5032): INTERNALDATE at least / at most so long ago.
    case older(UInt32)
    case younger(UInt32)
    case not(SearchKey)
    case or(SearchKey, SearchKey)
    /// Two or more, all of which match.
    case and([SearchKey])
}
