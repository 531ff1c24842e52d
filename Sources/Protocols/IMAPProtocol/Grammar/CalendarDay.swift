public import MartletCore

/// A day without time or zone, as SEARCH's dates are (RFC 9051 §6.4.4).
public struct CalendarDay: Sendable, Hashable, Comparable {
    /// Days since 1970-01-01.
    public var number: Int64
    public init(number: Int64) { self.number = number }

    /// A day of the Gregorian calendar.
    public init(year: Int, month: Int, day: Int) {
        self.init(Instant(year: year, month: month, day: day))
    }

    /// The day on which `instant` falls in a zone `zoneMinutes` east of UTC.
    public init(_ instant: Instant, zoneMinutes: Int = 0) {
        let seconds = instant.seconds &+ Int64(zoneMinutes) &* 60
        self.init(number: seconds >= 0 ? seconds / 86_400 : -((86_399 - seconds) / 86_400))
    }

    public static func < (left: CalendarDay, right: CalendarDay) -> Bool { left.number < right.number }
}
