internal import Glibc

/// How far a long command is, on one line of the terminal; nothing where there is none.
package final class MaintenanceProgress: @unchecked Sendable {
    // Unchecked: used by the command's one thread.
    private let isShown: Bool
    private var last: ContinuousClock.Instant?
    private var isOpen = false

    package init(isSilent: Bool) { isShown = !isSilent && isatty(2) == 1 }

    deinit { end() }

    /// - Parameter what: as in “copying messages”.
    package func show(_ what: String, _ done: Int64, of total: Int64) {
        guard isShown else { return }
        let now = ContinuousClock.now
        if let last, now - last < .milliseconds(200), done < total { return }
        last = now
        let percent = total > 0 ? Int(Double(done) / Double(total) * 100) : 100
        writeAll(Array("\r\u{1B}[K\(what): \(percent) %".utf8), to: 2)
        isOpen = true
    }

    package func end() {
        guard isOpen else { return }
        writeAll(Array("\r\u{1B}[K".utf8), to: 2)
        isOpen = false
    }
}
