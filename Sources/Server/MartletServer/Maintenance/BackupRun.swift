internal import Foundation
package import MartletCore
internal import StoreEngine

/// What `martlet backup` made or found.
package struct BackupView: Codable, Sendable, Hashable {
    /// The directory of backups, and the name of this one in it.
    package var directory: String
    package var name: String
    /// RFC 3339.
    package var createdAt: String
    package var messages: Int64
    package var accounts: Int64
    /// Octets of the whole backup, and those of them that were written now.
    package var bytes: Int64
    package var written: Int64?
    /// What is wrong with it. Empty: every file has its SHA-256.
    package var damage: [String]
    /// What was wrong with the store itself when it was made; the backup has it too.
    package var storeFaults: [String]
    /// Older backups that were removed.
    package var removed: [String]
    /// Why older ones were not removed.
    package var complaint: String?
}

/// Backups of a data directory: the store, keys and configuration.
package struct BackupRun: Sendable {
    private let directory: DataDirectory
    private let configuration: Configuration
    private let configurationFile: String?

    /// - Parameter configurationFile: goes into the backup as well.
    package init(_ directory: DataDirectory, _ configuration: Configuration, configurationFile: String?) {
        self.directory = directory
        self.configuration = configuration
        self.configurationFile = configurationFile
    }

    /// Makes a backup, reads it again and compares. Blocks the calling thread.
    ///
    /// - Parameter keeping: backups that stay in `target`, this one among them; nil: all.
    package func make(
        in target: String, keeping: Int?, clock: any WallClock, _ progress: MaintenanceProgress
    ) throws(MaintenanceFailure) -> BackupView {
        let set = BackupSet(DataDirectory(target).path)
        guard !(set.path + "/").hasPrefix(directory.path + "/store/") else {
            throw MaintenanceFailure("a backup within the store itself is none; give a directory elsewhere")
        }
        let consent = try StoreConsent(directory)
        defer { consent.end() }
        let held = Held(consent)
        let writer = BackupWriter(
            of: directory.store, to: set, files: files(besides: set.path), hostname: configuration.effectiveHostname,
            version: Version.text
        ) { phase, done, total in
            try held.consent.renew()
            progress.show(BackupRun.told(phase), done, of: total)
        }
        do throws(BackupFailure) {
            let result = try writer.make(now: clock.now(), keeping: keeping)
            progress.end()
            var view = BackupRun.view(set, result.name, result.manifest)
            view.written = result.written
            view.removed = result.removed
            view.complaint = result.complaint
            return view
        } catch {
            progress.end()
            throw MaintenanceFailure(error)
        }
    }

    /// The consent is used by the thread that makes the backup alone.
    private final class Held: @unchecked Sendable {
        let consent: StoreConsent
        init(_ consent: StoreConsent) { self.consent = consent }
    }

    /// Reads all octets of backups and compares them with their descriptions.
    package static func check(
        _ typed: String, _ progress: MaintenanceProgress
    ) throws(MaintenanceFailure) -> [BackupView] {
        do throws(BackupFailure) {
            let (set, name) = try BackupSet.find(typed)
            let names = typed.hasSuffix(name) ? [name] : try set.names()
            var views: [BackupView] = []
            for name in names {
                do throws(BackupFailure) {
                    let report = try BackupCheck(set, name).all { progress.show("reading \(name)", $0, of: $1) }
                    var view = BackupRun.view(set, name, report.manifest)
                    view.damage = report.damage
                    views.append(view)
                } catch  where error.kind == .damaged {
                    views.append(
                        BackupView(
                            directory: set.path, name: name, createdAt: "", messages: 0, accounts: 0, bytes: 0,
                            damage: [error.description], storeFaults: [], removed: []))
                }
            }
            progress.end()
            return views
        } catch {
            progress.end()
            throw MaintenanceFailure(error)
        }
    }

    private static func view(_ set: BackupSet, _ name: String, _ manifest: BackupManifest) -> BackupView {
        BackupView(
            directory: set.path, name: name, createdAt: manifest.createdAt, messages: manifest.counts["messages"] ?? 0,
            accounts: manifest.counts["accounts"] ?? 0, bytes: manifest.size, damage: [], storeFaults: manifest.faults,
            removed: [])
    }

    static func told(_ phase: BackupWriter.Phase) -> String {
        switch phase {
        case .rows: "copying rows"
        case .messages: "copying messages"
        case .comparing: "reading the copy and comparing"
        }
    }

    // MARK: Keys and configuration

    /// Files of a data directory that are looked at, and directories inside each other.
    private static let maximumFiles = 10_000
    private static let maximumDepth = 8

    /// All that is in the data directory but the store, logs, sockets, what is half written, and the backups themselves; the
    /// configuration; the certificates that it names.
    private func files(besides backups: String) -> [BackupWriter.AdditionalFile] {
        var files: [BackupWriter.AdditionalFile] = []
        gather(directory.path, "", 0, backups, &files)
        if let configurationFile {
            files.append(BackupWriter.AdditionalFile(path: DataDirectory(configurationFile).path, name: "martlet.yaml"))
        }
        if let tls = configuration.tls {
            for (path, name) in [(tls.certificate, "certificate.pem"), (tls.key, "key.pem")]
            where !path.hasPrefix(directory.path + "/") {
                files.append(BackupWriter.AdditionalFile(path: path, name: "elsewhere/" + name))
            }
        }
        for (number, pair) in configuration.certificates.enumerated() {
            for (path, name) in [(pair.certificate, "certificate"), (pair.key, "key")]
            where !path.hasPrefix(directory.path + "/") {
                files.append(
                    BackupWriter.AdditionalFile(path: path, name: "elsewhere/\(name)-\(number + 1).pem"))
            }
        }
        return files
    }

    private func gather(
        _ path: String, _ name: String, _ depth: Int, _ backups: String, _ files: inout [BackupWriter.AdditionalFile]
    ) {
        guard depth < BackupRun.maximumDepth, let entries = try? FileManager.default.contentsOfDirectory(atPath: path)
        else {
            return
        }
        for entry in entries.sorted() where files.count < BackupRun.maximumFiles {
            let child = path + "/" + entry
            let childName = name.isEmpty ? entry : name + "/" + entry
            if depth == 0, ["store", "log", "lab.json", "martlet.yaml", "elsewhere"].contains(entry) { continue }
            if child == backups || entry.hasSuffix(".new") || entry.hasSuffix(".partial") { continue }
            let kind = try? FileManager.default.attributesOfItem(atPath: child)[.type] as? FileAttributeType
            if kind == .typeDirectory {
                gather(child, childName, depth + 1, backups, &files)
            } else if kind == .typeRegular, !entry.hasPrefix("log.") {
                files.append(BackupWriter.AdditionalFile(path: child, name: childName))
            }
        }
    }
}
