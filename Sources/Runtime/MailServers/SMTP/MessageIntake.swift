internal import MailStore
internal import MartletBytes
internal import MessageFormat

/// One message on its way in: its header is gathered and looked at, then header and body stream to the spool.
///
/// Memory is the header, at most `maximumHeaderSize`, and what the spool keeps before it takes a file.
final class MessageIntake {
    /// What is put above the message once its header is known: Received, and what submission adds.
    private let trace: (HeaderScan) -> [UInt8]
    private let spool: any SpoolWriter
    /// Lines of a header: with no more of them every field is looked at, so that none hides behind the others.
    static let maximumHeaderLines = MessageLimits.default.maximumFields

    private let maximumHeaderSize: Int
    private var header: [UInt8] = []
    private var isHeaderComplete = false
    private(set) var scan = HeaderScan()
    private(set) var isHeaderTooLarge = false
    private(set) var failure: StoreError?

    init(spool: any SpoolWriter, maximumHeaderSize: Int, trace: @escaping (HeaderScan) -> [UInt8]) {
        self.spool = spool
        // What `HeaderScan` does not reach cannot be checked.
        self.maximumHeaderSize = min(maximumHeaderSize, MessageLimits.default.maximumHeaderBytes)
        self.trace = trace
    }

    func append(_ bytes: [UInt8]) {
        guard failure == nil, !isHeaderTooLarge else { return }
        guard !isHeaderComplete else { return write(bytes) }
        let searched = max(0, header.count - 3)
        header += bytes
        let end = header.withUnsafeBytes { bytes -> Int? in
            if bytes.count >= 2, bytes[0] == ASCII.carriageReturn, bytes[1] == ASCII.lineFeed { return 2 }
            return bytes.firstIndex(of: [0x0D, 0x0A, 0x0D, 0x0A], from: searched).map { $0 + 4 }
        }
        if let end {
            headerEnded(at: end)
        } else if header.count > maximumHeaderSize {
            isHeaderTooLarge = true
            header = []
        }
    }

    /// - Parameter end: where the body begins in what was gathered.
    private func headerEnded(at end: Int) {
        isHeaderComplete = true
        guard end <= maximumHeaderSize, lines(before: end) <= MessageIntake.maximumHeaderLines else {
            isHeaderTooLarge = true
            header = []
            return
        }
        scan = HeaderScan.scan(header)
        write(trace(scan))
        write(withoutReturnPaths(end))
        header = []
    }

    private func lines(before end: Int) -> Int {
        header.withUnsafeBytes { bytes in
            var count = 0
            var index = 0
            while let lineFeed = bytes.firstIndex(ofByte: ASCII.lineFeed, from: index), lineFeed < end {
                count += 1
                index = lineFeed + 1
            }
            return count
        }
    }

    /// RFC 5321 §4.4: final delivery puts its own Return-Path at the top and may take others out; a second one would only mislead.
    private func withoutReturnPaths(_ end: Int) -> [UInt8] {
        let places = header.withUnsafeBytes { bytes -> [Range<Int>] in
            let fields = HeaderFields(bytes, in: 0..<end)
            return fields.compactMap { fields.isNamed($0, "return-path") ? $0.whole : nil }
        }
        guard !places.isEmpty else { return header }
        var kept: [UInt8] = []
        var position = 0
        for place in places {
            kept += header[position..<place.lowerBound]
            position = place.upperBound
        }
        return kept + header[position...]
    }

    private func write(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        failure = bytes.withUnsafeBytes { bytes -> StoreError? in
            do throws(StoreError) { try spool.append(bytes) } catch { return error }
            return nil
        }
    }

    /// Octets that were written, trace included.
    var size: Int { spool.size }

    /// The message is complete: one without an empty line is all header.
    func endHeader() {
        if !isHeaderComplete, !isHeaderTooLarge { headerEnded(at: header.count) }
    }

    /// Ends the message, after `endHeader`.
    func finish() throws(StoreError) -> SpooledMessage {
        if let failure { throw failure }
        return try spool.finish()
    }

    func discard() { spool.discard() }
}
