import Foundation

/// An authoritative name server of Debian's (knot) on a loopback port, with zones that it signs where that is asked for.
final class KnotServer {
    struct Zone {
        var name: String
        /// Records without SOA and NS; nil: the file is missing, so that the server answers SERVFAIL.
        var records: String?
        var isSigned = false
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let port: UInt16
    let folder: URL
    private let process = Process()

    /// Returns when all zones are loaded and signed.
    init(_ zones: [Zone]) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "knot-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder.appending(path: "database"), withIntermediateDirectories: true)
        port = try FreePort.find()
        var configuration = """
            server:
                rundir: \(folder.path)
                listen: 127.0.0.1@\(port)
                pidfile: \(folder.path)/pid
            control:
                listen: \(folder.path)/control
            log:
              - target: stdout
                any: info
            database:
                storage: \(folder.path)/database
            policy:
              - id: one-key
                algorithm: ECDSAP256SHA256
                single-type-signing: on
            zone:

            """
        for zone in zones {
            let file = folder.appending(path: "\(zone.name).zone")
            if let records = zone.records {
                let text = """
                    $ORIGIN \(zone.name).
                    $TTL 300
                    @ IN SOA ns hostmaster 1 3600 600 86400 60
                    @ NS ns
                    ns A 127.0.0.1
                    \(records)

                    """
                try Data(text.utf8).write(to: file)
            }
            configuration += "  - domain: \(zone.name)\n    file: \(file.path)\n    zonefile-sync: -1\n"
            if zone.isSigned { configuration += "    dnssec-signing: on\n    dnssec-policy: one-key\n" }
        }
        try Data(configuration.utf8).write(to: configurationFile)
        try start()
    }

    private var configurationFile: URL { folder.appending(path: "knot.conf") }

    private func start() throws {
        // A file and no pipe: a pipe has to be read to the end, by a handler that outlives its descriptor when the server ends.
        let log = folder.appending(path: "log")
        try Data().write(to: log)
        let output = try FileHandle(forWritingTo: log)
        defer { try? output.close() }
        process.executableURL = URL(filePath: "/usr/sbin/knotd")
        process.arguments = ["-c", configurationFile.path]
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let isRunning = process.isRunning
            let said = try Data(contentsOf: log)
            if said.contains(Data("server started".utf8)) { return }
            guard isRunning, ContinuousClock.now < deadline else {
                throw Failure(description: "knotd did not start: \(String(decoding: said, as: UTF8.self))")
            }
            usleep(5_000)
        }
    }

    /// The DS record of a signed zone: `secure.test. DS 1 13 2 abcd`.
    func trustAnchor(of zone: String) throws -> String {
        let lines = try run("/usr/sbin/keymgr", ["-c", configurationFile.path, zone, "ds"])
            .split(separator: "\n").map(String.init)
        guard let line = lines.first(where: { $0.split(separator: " ").dropFirst(4).first == "2" }) else {
            throw Failure(description: "keymgr knows no SHA-256 DS of \(zone): \(lines)")
        }
        return line
    }

    /// Writes lines to a file beside the server's.
    func file(_ name: String, _ lines: [String]) throws -> String {
        let file = folder.appending(path: name)
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
        return file.path
    }

    func stop() {
        if process.isRunning {
            process.terminate()
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(at: folder)
    }

    private func run(_ program: String, _ arguments: [String]) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}

extension Data {
    fileprivate func contains(_ other: Data) -> Bool { range(of: other) != nil }
}
