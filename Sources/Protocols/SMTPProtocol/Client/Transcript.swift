internal import MartletBytes

/// What was said on a connection, for the record of an attempt: ours with `> `, theirs with `< `, notes with `* `.
///
/// Bounded: of many lines the first half and the last are kept, and how many are missing is told. Never holds content or secrets:
/// whoever sends them writes a note in their place.
struct Transcript: Sendable, Hashable {
    private let maximumLines: Int
    private var head: [String] = []
    /// A ring, once it is full: `oldest` is where it begins.
    private var tail: [String] = []
    private var oldest = 0
    private var omitted = 0

    init(maximumLines: Int) { self.maximumLines = max(2, maximumLines) }

    mutating func sent(_ line: String) { append("> " + line) }
    mutating func received(_ lines: [String]) {
        for line in lines { append("< " + line) }
    }
    mutating func note(_ text: String) { append("* " + text) }

    /// Octets of one line of a transcript.
    private static let maximumLine = 512

    private mutating func append(_ line: String) {
        let line =
            line.utf8.count <= Self.maximumLine && line.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
            ? line : PrintableText.of(Array(line.utf8), limit: Self.maximumLine)
        if head.count < maximumLines / 2 {
            head.append(line)
        } else if tail.count < maximumLines - maximumLines / 2 {
            tail.append(line)
        } else {
            tail[oldest] = line
            oldest = (oldest + 1) % tail.count
            omitted += 1
        }
    }

    var lines: [String] {
        guard omitted > 0 else { return head + tail }
        return head + ["* \(omitted) lines left out"] + tail[oldest...] + tail[..<oldest]
    }
}
