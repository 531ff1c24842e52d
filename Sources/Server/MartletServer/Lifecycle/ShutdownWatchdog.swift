internal import Foundation
internal import Glibc

/// Ends the process when a clean end takes too long: an event loop or a thread of the pool that hangs must not keep a server
/// that was told to end. A thread of its own, since all others may hang. What was acknowledged is durable either way.
package enum ShutdownWatchdog {
    /// What the rest of a clean end takes, once sessions have had their time: the store's last commit and checkpoint.
    package static let margin = Duration.seconds(10)

    /// - Parameters:
    ///   - patience: how long sessions have (`server.shutdown-patience`).
    ///   - end: what to do then; by default a line to standard error and exit code 1.
    package static func start(
        patience: Duration, margin: Duration = margin, end: @escaping @Sendable () -> Void = ShutdownWatchdog.leave
    ) {
        let (seconds, attoseconds) = (patience + margin).components
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: Double(seconds) + Double(attoseconds) / 1e18)
            end()
        }
    }

    /// Ends at once, without the exit handlers, which might hang too.
    package static let leave: @Sendable () -> Void = {
        let text = "martlet: something hangs; the server ends without it (what was acknowledged is stored)\n"
        _ = Array(text.utf8).withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
        _exit(1)
    }
}
