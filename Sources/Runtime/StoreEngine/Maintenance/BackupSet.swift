/// A directory of backups.
/// ```
/// DIR/blobs/000001.seg …          messages, which all backups share: segment files only grow
///     20261125T152000Z/           one backup: the moment that it shows, UTC
///         manifest.json           what belongs to it, with sizes and SHA-256
///         manifest.sha256         SHA-256 of the manifest, in the form of `sha256sum`
///         store.db                rows
///         files/…                 keys and configuration
///     20261126T030000Z.partial/   one that is being made, or that was not finished
///     lock                        held by who makes one
/// ```
public struct BackupSet: Sendable, Hashable {
    public let path: String

    static let database = "store.db"
    static let manifest = "manifest.json"
    static let manifestDigest = "manifest.sha256"
    static let partial = ".partial"
    /// Octets of the longest manifest that is read: some million pieces of segments.
    private static let maximumManifest: Int64 = 256 << 20
    /// Backups in one directory that are looked at.
    private static let maximumBackups = 10_000

    public init(_ path: String) { self.path = path }

    var blobs: String { path + "/blobs" }

    func segment(_ number: Int64) -> String { blobs + "/" + SegmentFormat.fileName(number) }

    /// Names of the finished backups, the oldest first.
    public func names() throws(BackupFailure) -> [String] {
        do throws(FileError) {
            guard BackupFiles.isDirectory(path) else { return [] }
            return try BackupFiles.layer.list(path).filter {
                BackupSet.isName($0) && BackupFiles.isDirectory(path + "/" + $0)
            }
            .sorted().suffix(BackupSet.maximumBackups)
        } catch {
            throw BackupFailure(error)
        }
    }

    /// Backups that were begun and not finished.
    func partials() throws -> [String] {
        guard BackupFiles.isDirectory(path) else { return [] }
        return try BackupFiles.layer.list(path).filter {
            $0.hasSuffix(BackupSet.partial) && BackupSet.isName(String($0.dropLast(BackupSet.partial.count)))
        }
    }

    /// `20261125T152000Z`, and `20261125T152000Z-2` for a second one in that second.
    private static func isName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard bytes.count >= 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z") else { return false }
        let digits = bytes[0..<8] + bytes[9..<15] + bytes[16...].filter { $0 != UInt8(ascii: "-") }
        return digits.allSatisfy { (0x30...0x39).contains($0) }
    }

    /// The directory of backups and the name of one in it, from what somebody typed: `DIR` (the latest) or `DIR/NAME`.
    public static func find(_ typed: String) throws(BackupFailure) -> (set: BackupSet, name: String) {
        var path = typed
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        guard BackupFiles.isDirectory(path) else { throw BackupFailure(.notFound, "there is no directory \(path)") }
        if let slash = path.lastIndex(of: "/") {
            let name = String(path[path.index(after: slash)...])
            if isName(name) { return (BackupSet(String(path[..<slash])), name) }
        } else if isName(path) {
            return (BackupSet("."), path)
        }
        let set = BackupSet(path)
        guard let latest = try set.names().last else {
            throw BackupFailure(.notFound, "there is no finished backup in \(path); “martlet backup \(path)” makes one")
        }
        return (set, latest)
    }

    /// Reads and checks the description of a backup.
    ///
    /// - Throws: `.damaged` when it is not there or not as it was written; `.newer`.
    public func manifest(of name: String) throws(BackupFailure) -> BackupManifest {
        let directory = path + "/" + name
        let (bytes, told) = try BackupFailure.wrapping {
            (
                try BackupFiles.read(directory + "/" + BackupSet.manifest, limit: BackupSet.maximumManifest),
                try BackupFiles.read(directory + "/" + BackupSet.manifestDigest, limit: 4_096)
            )
        }
        guard let bytes else { throw damaged(name, "\(BackupSet.manifest) is missing") }
        guard let told else { throw damaged(name, "\(BackupSet.manifestDigest) is missing") }
        guard String(decoding: told.prefix(64), as: UTF8.self) == RunningDigest.of(bytes) else {
            throw damaged(name, "\(BackupSet.manifest) is not as it was written (its SHA-256 is another)")
        }
        let manifest = try BackupManifest.decoded(bytes) { (reason) throws(BackupFailure) in throw damaged(name, reason)
        }
        guard manifest.schema <= Schema.migrations.count else {
            throw BackupFailure(
                .newer,
                "the backup \(name) has tables of version \(manifest.schema), from martlet \(manifest.version); this program knows versions up to \(Schema.migrations.count): use that one, or a newer one"
            )
        }
        return manifest
    }

    func damaged(_ name: String, _ reason: String) -> BackupFailure {
        BackupFailure(
            .damaged,
            "the backup \(name) in \(path) is damaged: \(reason); use an older one, or --force to restore what can be read"
        )
    }
}
