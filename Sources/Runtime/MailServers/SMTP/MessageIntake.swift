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
    private let maximumHeaderSize: Int
    private var header: [UInt8] = []
    private var isHeaderComplete = false
    private(set) var scan = HeaderScan()
    private(set) var isHeaderTooLarge = false
    private(set) var failure: StoreError?

    init(spool: any SpoolWriter, maximumHeaderSize: Int, trace: @escaping (HeaderScan) -> [UInt8]) {
        self.spool = spool
        self.maximumHeaderSize = maximumHeaderSize
        self.trace = trace
    }

    func append(_ bytes: [UInt8]) {
        guard failure == nil, !isHeaderTooLarge else { return }
        guard !isHeaderComplete else { return write(bytes) }
        let searched = max(0, header.count - 3)
        header += bytes
        let end = header.withUnsafeBytes { bytes -> Int? in
            if bytes.count >= 2, bytes[0] == ASCII.carriageReturn, bytes[1] == ASCII.lineFeed { return 0 }
            return bytes.firstIndex(of: [0x0D, 0x0A, 0x0D, 0x0A], from: searched)
        }
        if end != nil {
            headerEnded()
        } else if header.count > maximumHeaderSize {
            isHeaderTooLarge = true
            header = []
        }
    }

    private func headerEnded() {
        isHeaderComplete = true
        scan = HeaderScan.scan(header)
        write(trace(scan))
        write(header)
        header = []
    }

    private func write(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        failure = bytes.withUnsafeBytes { bytes -> StoreError? in
            do throws(StoreError) { try spool.append(bytes) } catch { return error }
            return nil
        }
    }

    /// Ends the message; a message without an empty line is all header.
    func finish() throws(StoreError) -> SpooledMessage {
        if !isHeaderComplete { headerEnded() }
        if let failure { throw failure }
        return try spool.finish()
    }

    func discard() { spool.discard() }
}
