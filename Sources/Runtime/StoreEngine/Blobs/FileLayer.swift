#if canImport(Glibc)
    internal import Glibc
#endif

/// The file operations under segments and spool. Production uses `PosixFileLayer`; tests put one below the store that
/// loses what was not synced, or fails.
package protocol FileLayer: Sendable {
    /// Opens for reading and writing; with `create` the file is made when it is absent.
    func open(_ path: String, create: Bool) throws(FileError) -> any StoreFile
    /// Makes the directory's entries durable.
    func syncDirectory(_ path: String) throws(FileError)
    func makeDirectory(_ path: String) throws(FileError)
    func remove(_ path: String) throws(FileError)
    /// Names in the directory, without `.` and `..`.
    func list(_ path: String) throws(FileError) -> [String]
    /// Octets that can still be written to the file system of `path`.
    func freeSpace(_ path: String) -> Int64
}

package protocol StoreFile: AnyObject, Sendable {
    /// Reads at most `buffer.count` octets at `offset`; fewer only at the end of the file. Returns how many.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int
    /// Writes all of `bytes` at `offset`.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError)
    /// Returns when everything written is on disk (`fdatasync`). After an error nothing is known about what was written
    /// since the last success, and trying again proves nothing.
    func sync() throws(FileError)
    func truncate(to size: Int64) throws(FileError)
    func size() throws(FileError) -> Int64
}

extension StoreFile {
    /// Writes an array. The error leaves the closure as a value: the optimizer of Swift 6.3.1 crashes on a typed throw through
    /// `withUnsafeBytes` here.
    func write(_ bytes: [UInt8], at offset: Int64) throws(FileError) {
        var failure: FileError?
        bytes.withUnsafeBytes { part in
            do throws(FileError) { try write(part, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

/// A file operation that failed.
package struct FileError: Error, Sendable, CustomStringConvertible {
    package var operation: String
    package var path: String
    package var code: Int32

    package init(operation: String, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    package var description: String { "\(operation) \(path): \(String(cString: strerror(code)))" }
}
