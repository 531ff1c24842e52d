internal import MartletCore

/// A place in a buffer that is written forward. Nothing is ever written behind the buffer's end: what does not fit is left
/// out, and `hasOverflowed` says so.
struct ByteCursor {
    private(set) var at: UnsafeMutablePointer<UInt8>
    private let end: UnsafeMutablePointer<UInt8>
    /// Something did not fit: what was written since the last `mark` is not whole.
    private(set) var hasOverflowed = false

    init(_ start: UnsafeMutablePointer<UInt8>, capacity: Int) {
        at = start
        end = start + capacity
    }

    /// Forgets what was written behind `mark`, a former `at`.
    mutating func rewind(to mark: UnsafeMutablePointer<UInt8>) {
        at = mark
        hasOverflowed = false
    }

    /// Whether so many octets more have room. After the first that have none nothing has.
    @inline(__always)
    private mutating func hasRoom(_ count: Int) -> Bool {
        if !hasOverflowed, end - at >= count { return true }
        hasOverflowed = true
        return false
    }

    @inline(__always)
    mutating func put(_ byte: UInt8) {
        guard hasRoom(1) else { return }
        at.pointee = byte
        at += 1
    }

    @inline(__always)
    mutating func put(_ text: StaticString) {
        guard hasRoom(text.utf8CodeUnitCount) else { return }
        at.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        at += text.utf8CodeUnitCount
    }

    @inline(__always)
    mutating func put(_ bytes: [UInt8]) {
        guard hasRoom(bytes.count) else { return }
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
        guard hasRoom(digits) else { return }
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
        guard hasRoom(count) else { return }
        var rest = value
        for place in stride(from: count - 1, through: 0, by: -1) {
            at[place] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        at += count
    }

    private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
}
