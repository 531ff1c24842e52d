internal import Foundation

/// Finds who listens on a port of this machine, in `/proc` (proc(5)). Other users' programs are seen by root alone.
enum PortHolder {
    /// Processes and descriptors that are looked at.
    private static let maximumProcesses = 100_000
    private static let maximumDescriptors = 100_000

    /// `exim4 (pid 812)`; nil when it cannot be told.
    static func holder(of port: Int) -> String? {
        var wanted: Set<String> = []
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let bytes = DataDirectory.bytes(of: table) else { continue }
            wanted.formUnion(
                inodes(listeningOn: port, in: String(decoding: bytes, as: UTF8.self)).map { "socket:[\($0)]" })
        }
        guard !wanted.isEmpty else { return nil }
        let manager = FileManager.default
        let processes = (try? manager.contentsOfDirectory(atPath: "/proc")) ?? []
        for process in processes.filter({ Int($0) != nil }).prefix(maximumProcesses) {
            let descriptors = (try? manager.contentsOfDirectory(atPath: "/proc/\(process)/fd")) ?? []
            for descriptor in descriptors.prefix(maximumDescriptors) {
                let path = "/proc/\(process)/fd/\(descriptor)"
                guard let target = try? manager.destinationOfSymbolicLink(atPath: path), wanted.contains(target) else {
                    continue
                }
                let name = DataDirectory.bytes(of: "/proc/\(process)/comm").map { String(decoding: $0, as: UTF8.self) }
                let trimmed = (name ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
                return trimmed.isEmpty ? "pid \(process)" : "\(escapedForTerminal(trimmed)) (pid \(process))"
            }
        }
        return nil
    }

    /// The inodes of sockets in state LISTEN (0A) on a port, in a table as `/proc/net/tcp` has it.
    static func inodes(listeningOn port: Int, in table: String) -> [String] {
        table.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A", let digits = fields[1].split(separator: ":").last,
                Int(digits, radix: 16) == port
            else { return nil }
            return String(fields[9])
        }
    }
}
