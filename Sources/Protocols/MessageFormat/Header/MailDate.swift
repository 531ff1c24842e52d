internal import MartletBytes
public import MartletCore

/// The date of a message (RFC 5322 §3.3, obsolete zones and years of §4.3).
public struct MailDate: Sendable, Hashable, CustomStringConvertible {
    public var instant: Instant
    /// Minutes east of UTC; 0 for `-0000` and unknown zones.
    public var zoneMinutes: Int

    public init(instant: Instant, zoneMinutes: Int = 0) {
        self.instant = instant
        self.zoneMinutes = zoneMinutes
    }

    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    static let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

    /// Reads a Date field's value, or asctime's `Tue Nov 24 11:41:21 2026`, which is common; nil when day, month, year and time are
    /// not there or are out of range.
    public static func parse(_ value: [UInt8]) -> MailDate? {
        var words = tokens(value)[...]
        if let first = words.first, month(first) == nil, !first.isEmpty, ASCII.isLetter(first[0]) {
            words.removeFirst()
        }
        guard words.count >= 4 else { return nil }
        var zone: [UInt8]?
        if month(words[words.startIndex]) != nil {
            // asctime: month, day, time, (zone,) year(, zone).
            let start = words.startIndex
            var year = start + 3
            if ASCII.number(words[year]) == nil, year + 1 < words.endIndex {
                zone = words[year]
                year += 1
            }
            if zone == nil, year + 1 < words.endIndex { zone = words[year + 1] }
            words = [words[start + 1], words[start], words[year], words[start + 2]]
        } else if words.count > 4 {
            zone = words[words.startIndex + 4]
        }
        guard let day = ASCII.number(words.removeFirst(), limit: 31), day >= 1,
            let month = month(words.removeFirst()), let year = year(words.removeFirst()),
            let time = time(words.removeFirst())
        else { return nil }
        let offset = zone.map { zoneMinutes($0) } ?? 0
        let local = Instant(
            year: year, month: month, day: Int(day), hour: time.hour, minute: time.minute, second: time.second)
        return MailDate(instant: local + .seconds(-60 * offset), zoneMinutes: offset)
    }

    /// 1 to 12. Longer names count by their first three letters.
    private static func month(_ word: [UInt8]) -> Int? {
        guard word.count >= 3 else { return nil }
        return monthKeys.firstIndex(of: key(word.prefix(3))).map { $0 + 1 }
    }

    /// The names of the months, each in one number.
    private static let monthKeys = months.map { key($0.utf8) }

    private static func key(_ letters: some Sequence<UInt8>) -> UInt32 {
        letters.reduce(0) { $0 << 8 | UInt32(ASCII.lowercased($1)) }
    }

    /// Two and three digits as in RFC 5322 §4.3.
    private static func year(_ word: [UInt8]) -> Int? {
        guard let year = ASCII.number(word, limit: 9_999).map({ Int($0) }) else { return nil }
        switch word.count {
        case 2: return year + (year < 50 ? 2000 : 1900)
        case 3: return year + 1900
        default: return year
        }
    }

    /// `hh:mm` or `hh:mm:ss`; fractions of a second are left out, a leap second is the one before it.
    private static func time(_ word: [UInt8]) -> (hour: Int, minute: Int, second: Int)? {
        let clock = word.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard clock.count == 2 || clock.count == 3, let hour = ASCII.number(clock[0], limit: 23),
            let minute = ASCII.number(clock[1], limit: 59),
            let second = clock.count == 2 ? 0 : ASCII.number(clock[2].prefix { $0 != UInt8(ascii: ".") }, limit: 60)
        else { return nil }
        return (Int(hour), Int(minute), Int(min(second, 59)))
    }

    /// The form for a field: `Tue, 24 Nov 2026 11:41:21 +0000`.
    public var description: String {
        let (year, month, day, hour, minute, second) = (instant + .seconds(60 * zoneMinutes)).utc
        let dayNumber = ((instant + .seconds(60 * zoneMinutes)).seconds / 86_400 + 3) % 7
        let weekday = Self.days[Int((dayNumber + 7) % 7)]
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let sign = zoneMinutes < 0 ? "-" : "+"
        let zone = abs(zoneMinutes)
        return
            "\(weekday), \(day) \(Self.months[month - 1]) \(year) \(two(hour)):\(two(minute)):\(two(second)) \(sign)\(two(zone / 60))\(two(zone % 60))"
    }

    /// Words between spaces and commas, comments left out, at most 8.
    private static func tokens(_ value: [UInt8]) -> [[UInt8]] {
        var words: [[UInt8]] = []
        var word: [UInt8] = []
        var depth = 0
        for byte in value.prefix(256) {
            if byte == UInt8(ascii: "(") { depth += 1 }
            let isSeparator =
                byte <= 0x20 || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "(") || byte == UInt8(ascii: ")")
            if depth == 0, !isSeparator {
                word.append(byte)
            } else if !word.isEmpty {
                words.append(word)
                word = []
            }
            if byte == UInt8(ascii: ")"), depth > 0 { depth -= 1 }
            if words.count == 8 { return words }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }

    private static let namedZones: [String: Int] = [
        "UT": 0, "GMT": 0, "UTC": 0, "Z": 0, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420,
        "MDT": -360, "PST": -480, "PDT": -420,
    ]

    private static func zoneMinutes(_ word: [UInt8]) -> Int {
        if let sign = word.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
            guard word.count == 5, let digits = ASCII.number(word[1...], limit: 9_959) else { return 0 }
            let minutes = Int(digits) / 100 * 60 + Int(digits) % 100
            // More than a day is no zone.
            guard minutes < 1_440 else { return 0 }
            return sign == UInt8(ascii: "-") ? -minutes : minutes
        }
        // `EST5EDT` counts as `EST`.
        let name = word.prefix { ASCII.isLetter($0) }.map { ASCII.uppercased($0) }
        return namedZones[String(decoding: name, as: UTF8.self)] ?? 0
    }
}
