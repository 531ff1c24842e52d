internal import Foundation
internal import Glibc

/// What the kernel says of this process (proc(5)). What cannot be read is nil.
struct ProcessFacts: Sendable, Hashable {
    var residentBytes: Int64?
    /// Of all threads, in user and system mode.
    var processorSeconds: Double?
    /// Since 1970.
    var startSeconds: Double?
    var openDescriptors: Int?
    var maximumDescriptors: Int?

    static func read() -> ProcessFacts {
        var facts = ProcessFacts()
        let pageSize = Int64(sysconf(Int32(_SC_PAGESIZE)))
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        if let memory = text("/proc/self/statm")?.split(separator: " "), memory.count > 1, let pages = Int64(memory[1])
        {
            facts.residentBytes = pages.multipliedReportingOverflow(by: pageSize).partialValue
        }
        // The program's name stands in parentheses and may hold anything.
        if let status = text("/proc/self/stat"), let end = status.lastIndex(of: ")"), ticks > 0 {
            let fields = status[status.index(after: end)...].split(separator: " ")
            if fields.count > 19, let user = Double(fields[11]), let system = Double(fields[12]) {
                facts.processorSeconds = (user + system) / ticks
                if let started = Double(fields[19]), let boot = bootSeconds {
                    facts.startSeconds = boot + started / ticks
                }
            }
        }
        facts.openDescriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            facts.maximumDescriptors = Int(clamping: limit.rlim_cur)
        }
        return facts
    }

    /// When the machine was started: read once, since it is worked out from a clock that is set now and then.
    private static let bootSeconds: Double? = text("/proc/stat")?.split(separator: "\n").first {
        $0.hasPrefix("btime ")
    }
    .flatMap { Double($0.dropFirst(6)) }

    private static func text(_ path: String) -> String? {
        DataDirectory.bytes(of: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
