internal import MartletBytes
public import MartletCore

/// The line that begins a message in an mbox (RFC 4155 §Appendix A): `From `, the envelope sender, a date as asctime writes it.
///
/// Read leniently, as programs have written it for forty years: with a time zone before or behind the year, without seconds,
/// with a date as in RFC 5322, with spaces in the sender. A date without a zone counts as UTC.
public struct FromLine: Sendable, Hashable {
    /// As written, without the date; `MAILER-DAEMON` and `-` stand for none.
    public var sender: [UInt8]
    public var date: Instant?

    /// Octets of the longest line that is looked at as one.
    public static let maximumLength = 1_024

    /// `>` before `From ` with which a line is still taken for a quoted one; a writer adds one to at most so many.
    static let maximumQuotes = 512

    static let prefix: [UInt8] = Array("From ".utf8)

    public init(sender: [UInt8], date: Instant?) {
        self.sender = sender
        self.date = date
    }

    /// Reads a line without its line end. nil when it does not begin with `From `. O(n).
    public static func parse(_ line: [UInt8]) -> FromLine? {
        guard line.starts(with: prefix), line.count <= maximumLength else { return nil }
        let words = line.dropFirst(prefix.count)
        var start = words.startIndex
        var tries = 0
        // The date begins at the name of a day; a sender may look like one, so the last words decide.
        while start < words.endIndex, tries < 8 {
            if isDayName(words[start...]), let date = MailDate.parse(Array(words[start...])) {
                return FromLine(sender: trimmed(words[..<start]), date: date.instant)
            }
            if isDayName(words[start...]) { tries += 1 }
            guard let space = words[start...].firstIndex(of: ASCII.space) else { break }
            start = space + 1
        }
        return FromLine(sender: trimmed(words), date: nil)
    }

    /// The line with its LF. A sender that is empty or would break the line is written as `MAILER-DAEMON`.
    public var encoded: [UInt8] {
        let isPlain =
            !sender.isEmpty && sender.count <= 512 && sender.allSatisfy { $0 > ASCII.space && $0 != 0x7F }
        var line = Self.prefix + (isPlain ? sender : Array("MAILER-DAEMON".utf8))
        line.append(ASCII.space)
        line += Array(Self.asctime(date ?? Instant(seconds: 0)).utf8)
        line.append(ASCII.lineFeed)
        return line
    }

    /// `Tue Nov 24 11:41:21 2026`, in UTC.
    static func asctime(_ instant: Instant) -> String {
        let (year, month, day, hour, minute, second) = instant.utc
        let days = instant.seconds / 86_400 - (instant.seconds % 86_400 < 0 ? 1 : 0)
        let weekday = MailDate.days[Int(((days + 3) % 7 + 7) % 7)]
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let padded = day < 10 ? " \(day)" : "\(day)"
        // Years have four digits: readers look for them.
        let shown = min(max(year, 1_000), 9_999)
        return "\(weekday) \(MailDate.months[month - 1]) \(padded) \(two(hour)):\(two(minute)):\(two(second)) \(shown)"
    }

    private static func isDayName(_ words: ArraySlice<UInt8>) -> Bool {
        guard words.count >= 4 else { return false }
        let end = words[words.startIndex + 3]
        guard end == ASCII.space || end == UInt8(ascii: ",") else { return false }
        return MailDate.days.contains { ASCII.equalsIgnoringCase($0.utf8, words.prefix(3)) }
    }

    private static func trimmed(_ words: ArraySlice<UInt8>) -> [UInt8] {
        var words = words
        while words.last == ASCII.space { words.removeLast() }
        while words.first == ASCII.space { words.removeFirst() }
        return Array(words)
    }
}
