internal import MartletBytes
public import MartletCore

/// The name of a record, as it stands in SMTP replies and as people type it: 13 characters of Crockford's base 32.
///
/// 40 bits of milliseconds since 2020-01-01 above 23 bits of a counter that starts at a random place in each process:
/// unique without asking anybody, ordered by time, never negative.
public struct LookupCode: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The value as it is stored, always positive.
    public let value: Int64

    /// 2020-01-01T00:00:00Z in milliseconds since 1970.
    static let epochMilliseconds: Int64 = 1_577_836_800_000

    public init?(value: Int64) {
        guard value >= 0 else { return nil }
        self.value = value
    }

    /// - Parameter counter: differs in each code of one millisecond; only the lower 23 bits count.
    public init(at now: Instant, counter: UInt32) {
        let milliseconds = max(0, now.microseconds / 1_000 - LookupCode.epochMilliseconds) & 0xFF_FFFF_FFFF
        value = milliseconds << 23 | Int64(counter & 0x7F_FFFF)
    }

    /// The moment at which the code was made, to the millisecond.
    public var time: Instant { Instant(microseconds: (value >> 23 + LookupCode.epochMilliseconds) * 1_000) }

    public static func < (left: LookupCode, right: LookupCode) -> Bool { left.value < right.value }

    public var description: String {
        var characters = [UInt8](repeating: 0, count: 13)
        var rest = UInt64(value)
        for index in stride(from: 12, through: 0, by: -1) {
            characters[index] = CrockfordBase32.character(of: rest)
            rest >>= 5
        }
        return String(decoding: characters, as: UTF8.self)
    }

    /// Reads `description` back; case and hyphens are ignored, `I L O` read as `1 1 0`.
    public init?(_ text: String) {
        var rest: UInt64 = 0
        var count = 0
        for byte in text.utf8 where byte != UInt8(ascii: "-") {
            count += 1
            guard let digit = CrockfordBase32.value(of: byte), count <= 13, rest >> 58 == 0 else { return nil }
            rest = rest << 5 | digit
        }
        guard count == 13 else { return nil }
        self.init(value: Int64(rest))
    }
}
