internal import MartletBytes

/// The keywords of a mailbox while a change gives their bits to messages. Both stores use it, so that both have the same rules.
///
/// A mailbox has `Flags.maximumKeywords` places. When all are taken, one that no message has any more goes to the new keyword:
/// `lacksPlaces` says that the store has to find out which are `inUse`. A keyword that has no place even so is refused or left
/// out, as the change wishes.
public struct KeywordTable: Sendable {
    /// What becomes of a keyword that has no place.
    public enum WhenFull: Sendable {
        /// The change fails with `StoreError.limit`: STORE, which is about the keyword.
        case fails
        /// The message goes without it: APPEND, COPY and MOVE, which are about the message.
        case isLeftOut
    }

    /// Octets of the longest keyword.
    public static let maximumLength = 255

    /// The name of bit `5 + n` is `names[n]`.
    public private(set) var names: [String]
    /// Bits that messages have; nil until the store has told.
    private var inUse: UInt64?
    /// Bits that this change has given out.
    private var given: UInt64 = 0

    public init(_ names: [String]) { self.names = names }

    /// Whether some of `flags` can only have the place of a keyword that no message has: `note(inUse:)` comes first.
    public func lacksPlaces(for flags: NamedFlags) -> Bool {
        guard inUse == nil else { return false }
        return names.count + flags.keywords.count { number(of: $0) == nil } > Flags.maximumKeywords
    }

    /// - Parameter bits: of all messages of the mailbox and of those that can be brought back into it.
    public mutating func note(inUse bits: UInt64) { inUse = bits }

    /// The bits of `flags`. Keywords that the mailbox does not know are passed over.
    public func knownBits(of flags: NamedFlags) -> UInt64 {
        flags.keywords.reduce(flags.system.rawValue) { bits, keyword in
            number(of: keyword).map { bits | Flags.keyword($0).rawValue } ?? bits
        }
    }

    /// The bits of `flags`. Keywords that the mailbox does not know get a place.
    public mutating func bits(of flags: NamedFlags, whenFull: WhenFull) throws(StoreError) -> UInt64 {
        // First what is known: its place is not to be given away.
        var bits = knownBits(of: flags)
        given |= bits
        for keyword in flags.keywords where number(of: keyword) == nil {
            guard KeywordTable.isValid(keyword) else {
                throw .notAllowed(reason: "a keyword is 1 to \(KeywordTable.maximumLength) printable ASCII characters")
            }
            guard let place = makePlace(for: keyword) else {
                switch whenFull {
                case .fails: throw .limit(name: "keywords in a mailbox")
                case .isLeftOut: continue
                }
            }
            bits |= Flags.keyword(place).rawValue
            given |= bits
        }
        return bits
    }

    private func number(of keyword: String) -> Int? {
        names.firstIndex { ASCII.equalsIgnoringCase($0.utf8, keyword.utf8) }
    }

    private mutating func makePlace(for keyword: String) -> Int? {
        if names.count < Flags.maximumKeywords {
            names.append(keyword)
            return names.count - 1
        }
        guard let inUse else { return nil }
        guard let free = names.indices.first(where: { (inUse | given) & Flags.keyword($0).rawValue == 0 }) else {
            return nil
        }
        names[free] = keyword
        return free
    }

    private static func isValid(_ keyword: String) -> Bool {
        !keyword.isEmpty && keyword.utf8.count <= maximumLength
            && keyword.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
}
