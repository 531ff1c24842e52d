import Glibc

/// What one session measured: the time of each operation by kind, and what went wrong.
struct Tally: Sendable {
    private(set) var samples: [(kind: Kind, nanoseconds: UInt64)] = []
    private(set) var errors = 0
    private(set) var firstError: String?

    enum Kind: UInt8, CaseIterable, Sendable {
        case message, login, select, fetchFlags, fetchEnvelope, fetchBody, store, append, search, status, idle, expunge, logout, session
    }

    mutating func add(_ kind: Kind, since begin: UInt64) {
        samples.append((kind, now() &- begin))
    }

    mutating func fail(_ text: String) {
        errors += 1
        if firstError == nil { firstError = text }
    }

    mutating func merge(_ other: Tally) {
        samples += other.samples
        errors += other.errors
        if firstError == nil { firstError = other.firstError }
    }

    /// The result as fields of a JSON object: `ops`, `seconds`, `rate`, `p50` and `p99` in milliseconds, `kinds`, `errors`.
    func fields(seconds: Double) -> [(String, JSON)] {
        var kinds: [(String, JSON)] = []
        for kind in Kind.allCases {
            let times = samples.filter { $0.kind == kind }.map(\.nanoseconds).sorted()
            guard !times.isEmpty else { continue }
            kinds.append(
                (
                    "\(kind)",
                    .object([
                        ("ops", .integer(times.count)), ("p50", .number(percentile(times, 0.50))), ("p99", .number(percentile(times, 0.99))),
                        ("mean", .number(Double(times.reduce(0, &+)) / Double(times.count) / 1e6)),
                    ])
                ))
        }
        let all = samples.map(\.nanoseconds).sorted()
        var fields: [(String, JSON)] = [
            ("ops", .integer(all.count)), ("seconds", .number(seconds)), ("rate", .number(seconds > 0 ? Double(all.count) / seconds : 0)),
            ("p50", .number(percentile(all, 0.50))), ("p99", .number(percentile(all, 0.99))), ("kinds", .object(kinds)),
            ("errors", .integer(errors)),
        ]
        if let firstError { fields.append(("firstError", .string(firstError))) }
        return fields
    }
}

/// The value below which `share` of the sorted nanoseconds lie, in milliseconds.
func percentile(_ sorted: [UInt64], _ share: Double) -> Double {
    guard !sorted.isEmpty else { return 0 }
    let index = min(sorted.count - 1, Int(Double(sorted.count) * share))
    return Double(sorted[index]) / 1e6
}

/// Nanoseconds of the monotonic clock.
func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}

func seconds(since begin: UInt64) -> Double { Double(now() &- begin) / 1e9 }

/// User and system time of this process, seconds.
func ownCPU() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

indirect enum JSON: Sendable {
    case integer(Int), number(Double), string(String), object([(String, JSON)])

    var text: String {
        switch self {
        case .integer(let value): "\(value)"
        case .number(let value): "\((value * 10_000).rounded() / 10_000)"
        case .string(let value):
            "\"" + value.unicodeScalars.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : $0.value < 32 ? " " : "\($0)" }.joined() + "\""
        case .object(let fields): "{" + fields.map { "\"\($0.0)\":\($0.1.text)" }.joined(separator: ",") + "}"
        }
    }
}
