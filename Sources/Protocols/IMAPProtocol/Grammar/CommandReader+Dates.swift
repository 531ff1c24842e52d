public import MartletCore

extension CommandReader {
    /// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE (RFC 9051 §9)
    mutating func readDateTime() throws(CommandParseError) -> Instant {
        let start = index
        try expect(0x22, .date)
        let first = peek()
        let day: Int
        if first == 0x20 {
            index += 1
            day = try readDigits(1)
        } else {
            day = try readDigits(2)
        }
        let (year, month) = try readMonthAndYear(day: day, from: start)
        guard readIf(0x20) else { throw failure(.invalidDate, at: start) }
        let hour = try readDigits(2)
        guard readIf(0x3A) else { throw failure(.invalidDate, at: start) }
        let minute = try readDigits(2)
        guard readIf(0x3A) else { throw failure(.invalidDate, at: start) }
        let second = try readDigits(2)
        guard readIf(0x20), hour < 24, minute < 60, second <= 60 else { throw failure(.invalidDate, at: start) }
        let sign: Int
        switch peek() {
        case 0x2B: sign = 1
        case 0x2D: sign = -1
        default: throw failure(.invalidDate, at: start)
        }
        index += 1
        let zoneHour = try readDigits(2)
        let zoneMinute = try readDigits(2)
        guard readIf(0x22), zoneMinute < 60 else { throw failure(.invalidDate, at: start) }
        let offset = sign * (zoneHour * 60 + zoneMinute)
        return Instant(year: year, month: month, day: day, hour: hour, minute: minute - offset, second: second)
    }

    /// date = date-text / DQUOTE date-text DQUOTE
    mutating func readDate() throws(CommandParseError) -> CalendarDay {
        let start = index
        let isQuoted = readIf(0x22)
        let day = Octet.isDigit(peek(1)) ? try readDigits(2) : try readDigits(1)
        let (year, month) = try readMonthAndYear(day: day, from: start)
        if isQuoted, !readIf(0x22) { throw failure(.invalidDate, at: start) }
        return CalendarDay(year: year, month: month, day: day)
    }

    private mutating func readMonthAndYear(day: Int, from start: Int) throws(CommandParseError) -> (
        year: Int, month: Int
    ) {
        guard readIf(0x2D) else { throw failure(.invalidDate, at: start) }
        let key = UInt32(peek() | 0x20) << 16 | UInt32(peek(1) | 0x20) << 8 | UInt32(peek(2) | 0x20)
        guard let month = Months.number(of: key) else { throw failure(.invalidDate, at: start) }
        index += 3
        guard readIf(0x2D) else { throw failure(.invalidDate, at: start) }
        let year = try readDigits(4)
        guard day >= 1, day <= Months.days(month, year) else { throw failure(.invalidDate, at: start) }
        return (year, month)
    }

    private mutating func readDigits(_ count: Int) throws(CommandParseError) -> Int {
        var value = 0
        for _ in 0..<count {
            guard Octet.isDigit(peek()) else { throw failure(.invalidDate) }
            value = value * 10 + Int(bytes[index] &- 0x30)
            index += 1
        }
        return value
    }
}

/// Month names (RFC 9051 §9 `date-month`) and lengths.
enum Months {
    static let names: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `key`: three small letters, the first in the highest place.
    static func number(of key: UInt32) -> Int? {
        switch key {
        case 0x6A616E: 1
        case 0x666562: 2
        case 0x6D6172: 3
        case 0x617072: 4
        case 0x6D6179: 5
        case 0x6A756E: 6
        case 0x6A756C: 7
        case 0x617567: 8
        case 0x736570: 9
        case 0x6F6374: 10
        case 0x6E6F76: 11
        case 0x646563: 12
        default: nil
        }
    }

    static func days(_ month: Int, _ year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension CalendarDay {
    /// A day of the Gregorian calendar.
    public init(year: Int, month: Int, day: Int) {
        self.init(Instant(year: year, month: month, day: day))
    }

    /// The day on which `instant` falls in a zone `zoneMinutes` east of UTC.
    public init(_ instant: Instant, zoneMinutes: Int = 0) {
        let seconds = instant.seconds &+ Int64(zoneMinutes) &* 60
        self.init(number: seconds >= 0 ? seconds / 86_400 : -((86_399 - seconds) / 86_400))
    }
}
