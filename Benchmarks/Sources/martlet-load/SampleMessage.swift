/// Messages of a fixed size that differ in number, subject and text, so that no store can fold them into one.
struct SampleMessage: Sendable {
    private let template: [UInt8]
    private let marks: [Int]
    /// Digits of the number that is written into the template.
    private static let digits = 10

    /// - Parameter size: bytes of the whole message with CRLF line ends; at least 700.
    init(size: Int, salt: Int, from: String = "ada@outside.test") {
        let mark = String(repeating: "#", count: Self.digits)
        var text = """
            From: Ada Lovelace <\(from)>\r
            To: Charles Babbage <charles@example.test>\r
            Subject: Notes on the engine, number \(mark), with a few more words\r
            Date: Mon, 23 Nov 2026 10:00:00 +0000\r
            Message-ID: <\(mark).\(salt)@outside.test>\r
            MIME-Version: 1.0\r
            Content-Type: text/plain; charset=utf-8\r
            Content-Transfer-Encoding: 7bit\r
            \r
            Message \(mark) of \(salt).\r\n
            """
        let words = ["engine", "weaves", "algebraic", "patterns", "just", "as", "the", "loom", "flowers", "and", "leaves", "of", "numbers"]
        var state = UInt64(truncatingIfNeeded: salt) &* 2_862_933_555_777_941_757 &+ 3_037_000_493
        var line = ""
        while text.utf8.count + line.utf8.count + 20 < size {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            line += words[Int(state >> 33) % words.count] + " "
            if line.utf8.count > 64 {
                text += line + "\r\n"
                line = ""
            }
        }
        text += line
        if text.utf8.count + 2 < size { text += String(repeating: ".", count: size - text.utf8.count - 2).replacingLeadingDot }
        text += "\r\n"
        template = Array(text.utf8)
        var marks: [Int] = []
        var index = 0
        while index < template.count {
            if template[index] == UInt8(ascii: "#") {
                marks.append(index)
                index += Self.digits
            } else {
                index += 1
            }
        }
        self.marks = marks
    }

    var size: Int { template.count }

    /// The number of the `index`th message that fills a user's mailbox: no two users have the same.
    static func number(_ index: Int, of user: Int) -> Int { user * 10_000_000 + index }

    /// Appends message `number` to `bytes`.
    func write(number: Int, to bytes: inout [UInt8]) {
        let base = bytes.count
        bytes += template
        for mark in marks {
            var value = number
            for position in stride(from: mark + Self.digits - 1, through: mark, by: -1) {
                bytes[base + position] = UInt8(48 + value % 10)
                value /= 10
            }
        }
    }
}

extension String {
    /// A line may not begin with a dot on its way through SMTP unless it is doubled.
    fileprivate var replacingLeadingDot: String { "x" + dropFirst() }
}

/// `user0001` for 1.
func userName(_ number: Int) -> String {
    let digits = "\(number)"
    return "user" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}
