internal import MartletCore

/// A place in a buffer of known size that is written forward. The caller has made sure that what it writes fits.
struct ByteCursor {
    private(set) var at: UnsafeMutablePointer<UInt8>

    init(_ start: UnsafeMutablePointer<UInt8>) { at = start }

    @inline(__always)
    mutating func put(_ byte: UInt8) {
        at.pointee = byte
        at += 1
    }

    @inline(__always)
    mutating func put(_ text: StaticString) {
        at.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        at += text.utf8CodeUnitCount
    }

    @inline(__always)
    mutating func put(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { source in
            guard let base = source.baseAddress else { return }
            at.update(from: base, count: source.count)
        }
        at += bytes.count
    }

    /// At most 20 octets.
    @inline(__always)
    mutating func putDecimal(_ value: UInt64) {
        var digits = 1
        var bound: UInt64 = 10
        while digits < 20, value >= bound {
            digits += 1
            bound = bound &* 10
        }
        var rest = value
        var place = at + digits
        repeat {
            place -= 1
            let quotient = rest / 10
            place.pointee = 0x30 &+ UInt8(truncatingIfNeeded: rest &- quotient &* 10)
            rest = quotient
        } while place != at
        at += digits
    }

    /// A date-time in quotes, 28 octets, in UTC (RFC 9051 §9 `date-time`).
    mutating func putDateTime(_ instant: Instant) {
        let (year, month, day, hour, minute, second) = instant.utc
        put(0x22)
        put(day < 10 ? 0x20 : 0x30 &+ UInt8(truncatingIfNeeded: day / 10))
        put(0x30 &+ UInt8(truncatingIfNeeded: day % 10))
        put(0x2D)
        let name = max(0, min(11, month - 1)) * 3
        for offset in 0..<3 { put(ByteCursor.months.utf8Start[name + offset]) }
        put(0x2D)
        putDigits(max(0, min(9999, year)), count: 4)
        put(0x20)
        putDigits(hour, count: 2)
        put(0x3A)
        putDigits(minute, count: 2)
        put(0x3A)
        putDigits(second, count: 2)
        put(" +0000\"")
    }

    private mutating func putDigits(_ value: Int, count: Int) {
        var rest = value
        for place in stride(from: count - 1, through: 0, by: -1) {
            at[place] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        at += count
    }

    private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
}
