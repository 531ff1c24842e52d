internal import MartletBytes
internal import MartletCore

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
        let day = ASCII.isDigit(peek(1)) ? try readDigits(2) : try readDigits(1)
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
            guard ASCII.isDigit(peek()) else { throw failure(.invalidDate) }
            value = value * 10 + Int(bytes[index] &- 0x30)
            index += 1
        }
        return value
    }
}
