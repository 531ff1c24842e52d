/// A moment: microseconds since 1970-01-01T00:00:00Z. The unit of every time that is stored.
public struct Instant: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }
    public init(seconds: Int64) { microseconds = seconds &* 1_000_000 }

    /// Whole seconds, rounded down.
    public var seconds: Int64 { Instant.floor(microseconds, by: 1_000_000) }

    public static func < (left: Instant, right: Instant) -> Bool { left.microseconds < right.microseconds }
    public static func + (left: Instant, right: Duration) -> Instant {
        let (seconds, attoseconds) = right.components
        return Instant(microseconds: left.microseconds &+ seconds &* 1_000_000 &+ attoseconds / 1_000_000_000_000)
    }
    public static func - (left: Instant, right: Instant) -> Duration {
        .microseconds(left.microseconds &- right.microseconds)
    }

    /// Year, month, day, hour, minute, second in UTC (proleptic Gregorian calendar, after Hinnant's `civil_from_days`).
    public var utc: (year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        let total = seconds
        let days = Instant.floor(total, by: 86_400)
        let secondOfDay = Int(total - days * 86_400)
        let shifted = days + 719_468
        let era = Instant.floor(shifted, by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let day = Int(dayOfYear - (153 * monthIndex + 2) / 5 + 1)
        let month = Int(monthIndex < 10 ? monthIndex + 3 : monthIndex - 9)
        let year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
        return (year, month, day, secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60)
    }

    /// From a date in UTC. Fields out of range carry over (`day` 32 is the first of the next month).
    public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        let y = Int64(month <= 2 ? year - 1 : year)
        let era = Instant.floor(y, by: 400)
        let yearOfEra = y - era * 400
        let monthIndex = Int64(month > 2 ? month - 3 : month + 9)
        let dayOfYear = (153 * monthIndex + 2) / 5 + Int64(day) - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        self.init(seconds: days &* 86_400 &+ Int64(hour) &* 3600 &+ Int64(minute) &* 60 &+ Int64(second))
    }

    /// The quotient rounded down, for every `number` and a positive `divisor`.
    private static func floor(_ number: Int64, by divisor: Int64) -> Int64 {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// RFC 3339 in UTC with whole seconds: `2026-11-24T11:41:21Z`.
    public var description: String {
        let (year, month, day, hour, minute, second) = utc
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let y = year < 1000 ? String(repeating: "0", count: max(0, 4 - "\(year)".count)) + "\(year)" : "\(year)"
        return "\(y)-\(two(month))-\(two(day))T\(two(hour)):\(two(minute)):\(two(second))Z"
    }
}
