internal import Foundation

/// Tells how far an import or export is: in one line that is written over on a terminal, in a line every few seconds elsewhere.
public final class TransferProgress {
    private let write: (String) -> Void
    private let isTerminal: Bool
    private let clock = ContinuousClock()
    private let begin: ContinuousClock.Instant
    private var told: ContinuousClock.Instant
    private var folder = ""
    /// Octets of all folders; nil when they are not known.
    private var total: Int64?
    private var octetsBefore: Int64 = 0
    private var octets: Int64 = 0
    private var messages = 0
    private var hasLine = false

    /// - Parameters:
    ///   - isTerminal: lines may be written over.
    ///   - write: puts text out as it is.
    public init(isTerminal: Bool, write: @escaping (String) -> Void) {
        self.isTerminal = isTerminal
        self.write = write
        begin = clock.now
        told = begin
    }

    /// Says nothing.
    public static func silent() -> TransferProgress { TransferProgress(isTerminal: false) { _ in } }

    public var seconds: Double {
        let (seconds, attoseconds) = (clock.now - begin).components
        return Double(seconds) + Double(attoseconds) / 1e18
    }

    func beginRun(total: Int64?) { self.total = total }

    func beginFolder(_ name: String) {
        folder = name
        octetsBefore += octets
        octets = 0
    }

    /// - Parameters:
    ///   - messages: since the run began.
    ///   - octets: of this folder.
    func note(messages: Int, octets: Int64) {
        self.messages = messages
        self.octets = octets
        let now = clock.now
        guard now - told >= (isTerminal ? .milliseconds(200) : .seconds(5)) else { return }
        told = now
        tell()
    }

    private func tell() {
        let seconds = max(0.001, self.seconds)
        var line = "\(folder): \(messages) messages, \(Int(Double(messages) / seconds)) a second"
        let done = octetsBefore + octets
        if let total, total > 0, done > 0 {
            line += ", \(min(100, done * 100 / total)) %"
            let left = Double(max(0, total - done)) / (Double(done) / seconds)
            if left < 1e7 { line += ", \(Self.told(Int(left))) left" }
        }
        write(isTerminal ? "\r\u{1B}[K" + line : line + "\n")
        hasLine = isTerminal
    }

    /// The line that was written over is done with.
    func end() {
        if hasLine { write("\r\u{1B}[K") }
        hasLine = false
    }

    private static func told(_ seconds: Int) -> String {
        seconds < 60 ? "\(seconds) s" : seconds < 3_600 ? "\(seconds / 60) min" : "\(seconds / 3_600) h"
    }
}
