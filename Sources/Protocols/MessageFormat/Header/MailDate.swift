internal import MartletBytes
public import MartletCore

/// The date of a message (RFC 5322 §3.3, obsolete zones and years of §4.3).
public struct MailDate: Sendable, Hashable {
    public var instant: Instant
    /// Minutes east of UTC; 0 for `-0000` and unknown zones.
    public var zoneMinutes: Int

    public init(instant: Instant, zoneMinutes: Int = 0) {
        self.instant = instant
        self.zoneMinutes = zoneMinutes
    }

    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    static let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

    /// Reads a Date field's value; nil when day, month, year and time are not there or are out of range.
    public static func parse(_ value: [UInt8]) -> MailDate? {
        var words = tokens(value)[...]
        if let first = words.first, !first.isEmpty, ASCII.isLetter(first[0]) { words.removeFirst() }
        guard words.count >= 4, let day = ASCII.number(words.removeFirst(), limit: 31), day >= 1 else { return nil }
        let name = ASCII.lowercased(words.removeFirst().prefix(3))
        guard let month = months.firstIndex(where: { ASCII.lowercased($0.utf8) == name }) else { return nil }
        let yearText = words.removeFirst()
        guard var year = ASCII.number(yearText, limit: 9_999).map({ Int($0) }) else { return nil }
        if yearText.count == 2 { year += year < 50 ? 2000 : 1900 } else if yearText.count == 3 { year += 1900 }
        let clock = words.removeFirst().split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard clock.count == 2 || clock.count == 3, let hour = ASCII.number(clock[0], limit: 23),
            let minute = ASCII.number(clock[1], limit: 59)
        else { return nil }
        // A leap second is the one before it.
        guard let second = clock.count == 3 ? ASCII.number(clock[2], limit: 60) : 0 else { return nil }
        let zone = words.first.map { zoneMinutes($0) } ?? 0
        let local = Instant(
            year: year, month: month + 1, day: Int(day), hour: Int(hour), minute: Int(minute),
            second: Int(min(second, 59)))
        return MailDate(instant: local + .seconds(-60 * zone), zoneMinutes: zone)
    }

    /// `Tue, 24 Nov 2026 11:41:21 +0000`
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
        return namedZones[String(decoding: word.map { ASCII.uppercased($0) }, as: UTF8.self)] ?? 0
    }
}
