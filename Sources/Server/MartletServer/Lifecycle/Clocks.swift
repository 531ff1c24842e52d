internal import Foundation
internal import Glibc
package import MartletCore
internal import Synchronization

/// The machine's clock.
package struct SystemClock: WallClock {
    package init() {}
    package func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }
}

/// The machine's clock, moved by as many seconds as a file says: `86400` is tomorrow, `-3600` an hour ago. The file is
/// looked at again four times a second, so that a test can let days pass while the server runs.
package final class OffsetClock: WallClock {
    /// Seconds ahead of the longest jump: a hundred years.
    static let maximumOffset: Int64 = 3_155_760_000

    private let path: String
    private let offset: Atomic<Int64>

    /// - Parameter path: a file for which `problem(with:)` is nil.
    package init(path: String) {
        self.path = path
        offset = Atomic(OffsetClock.read(path) ?? 0)
        Thread.detachNewThread { [weak self] in
            while let self {
                usleep(250_000)
                if let seconds = OffsetClock.read(path) { self.offset.store(seconds, ordering: .relaxed) }
            }
        }
    }

    package func now() -> Instant { SystemClock().now() + .seconds(offset.load(ordering: .relaxed)) }

    /// Why the file cannot be a clock, as a sentence; nil when it can.
    package static func problem(with path: String) -> String? {
        guard FileManager.default.contents(atPath: path) != nil else { return "cannot be read; is the path right?" }
        return read(path) == nil ? "holds no number of seconds; write, for example, 0" : nil
    }

    private static func read(_ path: String) -> Int64? {
        guard let data = FileManager.default.contents(atPath: path), data.count <= 64 else { return nil }
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let seconds = Int64(text), abs(seconds) <= maximumOffset else { return nil }
        return seconds
    }
}
