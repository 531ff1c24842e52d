import Glibc

/// `--name value` pairs and `--flag`s of a subcommand.
struct Options: Sendable {
    private var values: [String: String] = [:]

    init(_ arguments: ArraySlice<String>) {
        var rest = arguments
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else { stop("unexpected argument: \(word)") }
            if let next = rest.first, !next.hasPrefix("--") {
                values[String(word.dropFirst(2))] = next
                rest.removeFirst()
            } else {
                values[String(word.dropFirst(2))] = ""
            }
        }
    }

    func has(_ name: String) -> Bool { values[name] != nil }
    func string(_ name: String, _ fallback: String) -> String { values[name] ?? fallback }

    func integer(_ name: String, _ fallback: Int) -> Int {
        guard let text = values[name] else { return fallback }
        guard let value = Int(text), value >= 0 else { stop("--\(name) takes a number, not '\(text)'") }
        return value
    }

    func port(_ name: String) -> UInt16 {
        guard let text = values[name], let port = UInt16(text) else { stop("--\(name) PORT is required") }
        return port
    }
}

func stop(_ text: String) -> Never {
    complain("martlet-load: \(text)")
    exit(2)
}

/// Writes a line to standard error (Glibc's `stderr` is a global variable, which Swift 6 does not let threads share).
func complain(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    _ = write(2, bytes, bytes.count)
}

/// Tells the caller that preparations are over (or the measured part is), and waits for its go-ahead: in between it reads the
/// server's CPU clock. Without `--gate` nothing waits.
struct Gate: Sendable {
    let used: Bool

    func pass(_ word: String) {
        guard used else { return }
        print(word)
        fflush(nil)
        _ = Swift.readLine()
    }
}
