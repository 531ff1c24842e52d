import Glibc
import MartletServer

/// What the exit codes mean.
enum ExitStatus: Int32 {
    case done = 0
    /// The answer is no, or there is no such thing.
    case no = 1
    /// Usage or configuration.
    case usage = 2
    /// The server or its data cannot be reached.
    case unreachable = 3
}

/// Ends the command with a message for people and an exit code.
struct CommandFailure: Error {
    let status: ExitStatus
    /// Empty: everything is said already.
    let message: String

    init(_ status: ExitStatus, _ message: String = "") {
        self.status = status
        self.message = message
    }
}

/// Standard input, output and error.
enum Terminal {
    static func print(_ text: String) { write(text + "\n", to: 1) }

    /// Each line with the program's name, to standard error.
    static func error(_ text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) { write("martlet: \(line)\n", to: 2) }
    }

    static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

    /// A reader that has seen enough (`| head`) is no failure.
    static func write(_ bytes: [UInt8], to descriptor: Int32) { writeAll(bytes, to: descriptor) }

    static func exit(_ status: ExitStatus) -> Never { Glibc.exit(status.rawValue) }

    static var isInteractive: Bool { isatty(0) == 1 && isatty(2) == 1 }

    /// A line from standard input without its end; nil at the end of input. At most 64 KiB.
    static func readLine() -> [UInt8]? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 65_536 {
            let count = read(0, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { return line.isEmpty ? nil : line }
            if byte == UInt8(ascii: "\n") { break }
            line.append(byte)
        }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }

    /// Asks for a text that is not shown while it is typed.
    static func ask(secretly question: String) -> [UInt8]? {
        write(question, to: 2)
        var old = termios()
        let isTerminal = tcgetattr(0, &old) == 0
        if isTerminal {
            var quiet = old
            quiet.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(0, TCSAFLUSH, &quiet)
        }
        defer {
            if isTerminal { tcsetattr(0, TCSAFLUSH, &old) }
            write("\n", to: 2)
        }
        return readLine()
    }

    /// Asks yes or no; no when nobody is there to answer.
    static func confirm(_ question: String) -> Bool {
        guard isInteractive else { return false }
        write(question + " [y/N] ", to: 2)
        let answer = readLine().map { String(decoding: $0, as: UTF8.self).lowercased() }
        return answer == "y" || answer == "yes"
    }

    /// Columns of text, aligned; the first row is the heading.
    static func table(_ rows: [[String]]) -> String {
        guard let columns = rows.map(\.count).max() else { return "" }
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, text) in row.enumerated() {
                line += text + String(repeating: " ", count: widths[column] - text.count + 2)
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}
