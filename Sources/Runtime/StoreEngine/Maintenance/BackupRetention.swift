/// Removes old backups of a directory, and the segment files that only they had.
struct BackupRetention {
    private let set: BackupSet

    init(_ set: BackupSet) { self.set = set }

    /// - Returns: the names of those that are gone.
    func keep(_ count: Int) throws -> [String] {
        let names = try set.names()
        let old = names.dropLast(max(1, count))
        guard !old.isEmpty else { return [] }
        var needed: Set<Int64> = []
        for name in names.suffix(max(1, count)) {
            // One that cannot be read may need any file: then none is removed.
            for segment in try set.manifest(of: name).segments { needed.insert(segment.number) }
        }
        for name in old {
            // Under another name first: what is half removed is no backup.
            try BackupFiles.rename(set.path + "/" + name, to: set.path + "/" + name + BackupSet.partial)
            try BackupFiles.layer.syncDirectory(set.path)
            try BackupFiles.removeTree(set.path + "/" + name + BackupSet.partial)
        }
        for file in try BackupFiles.layer.list(set.blobs) {
            guard let number = SegmentFormat.segment(ofFileName: file), !needed.contains(number) else { continue }
            try BackupFiles.layer.remove(set.blobs + "/" + file)
        }
        return Array(old)
    }
}
