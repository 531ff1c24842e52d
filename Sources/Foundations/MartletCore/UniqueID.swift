internal import MartletBytes

/// A time-ordered 128-bit identifier: 48 bits of milliseconds since 1970, 80 random bits (the layout of ULID, order of UUIDv7).
///
/// Made by the server, never by a sequence, so that nodes need not agree.
public struct UniqueID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// 48 bits of time above 16 random ones.
    public let high: UInt64
    /// 64 random bits.
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new identifier.
    ///
    /// - Parameters:
    ///   - now: gives the upper 48 bits.
    ///   - generator: gives the lower 80 bits.
    public init(at now: Instant, using generator: inout some RandomNumberGenerator) {
        let milliseconds = UInt64(bitPattern: now.microseconds / 1_000) & 0xFFFF_FFFF_FFFF
        high = milliseconds << 16 | generator.next() & 0xFFFF
        low = generator.next()
    }

    /// The moment in the upper bits, to the millisecond.
    public var time: Instant { Instant(microseconds: Int64(high >> 16) &* 1_000) }

    public static func < (left: UniqueID, right: UniqueID) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }

    /// 16 octets, big-endian, so that the order of bytes is the order of values.
    public var bytes: [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: high >> (56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: low >> (56 - 8 * $0)) }
    }

    /// Reads `bytes` back; nil when they are not 16.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for byte in bytes.prefix(8) { high = high << 8 | UInt64(byte) }
        for byte in bytes.dropFirst(8) { low = low << 8 | UInt64(byte) }
        self.init(high: high, low: low)
    }

    /// 26 characters of Crockford's base 32, which sort as the values do.
    public var description: String {
        var characters = [UInt8](repeating: 0, count: 26)
        var high = high
        var low = low
        for index in stride(from: 25, through: 0, by: -1) {
            characters[index] = CrockfordBase32.character(of: low)
            low = low >> 5 | high << 59
            high >>= 5
        }
        return String(decoding: characters, as: UTF8.self)
    }

    /// Reads `description` back; case is ignored, `I L O` read as `1 1 0`. nil for other characters, another length, and for
    /// what has more than 128 bits.
    public init?(_ text: String) {
        guard text.utf8.count == 26 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for byte in text.utf8 {
            guard let value = CrockfordBase32.value(of: byte), high >> 59 == 0 else { return nil }
            high = high << 5 | low >> 59
            low = low << 5 | value
        }
        self.init(high: high, low: low)
    }
}
