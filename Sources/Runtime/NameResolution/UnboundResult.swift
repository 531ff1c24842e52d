internal import CUnbound
internal import DNSProtocol

/// Makes answers of what libunbound says.
enum UnboundResult {
    /// Records of one answer that are kept; the others count as unreadable.
    static let maximumRecords = 1_000

    /// - Parameters:
    ///   - status: what the library says of its own work; 0 is good.
    ///   - validates: there is a trust anchor, so that an answer without signatures is known to be insecure.
    static func answer(
        to question: DNSQuestion, status: Int32, result: UnsafePointer<ub_result>?, validates: Bool
    ) -> DNSAnswer {
        guard status == 0, let result = result?.pointee else {
            return DNSAnswer(question: question, outcome: .failure(.serverFailure))
        }
        guard result.bogus == 0 else {
            let reason = result.why_bogus.map { String(cString: $0) } ?? ""
            return DNSAnswer(question: question, outcome: .failure(.bogus(reason)))
        }
        let security: DNSAnswer.Security = result.secure != 0 ? .secure : validates ? .insecure : .indeterminate
        var answer = DNSAnswer(
            question: question, outcome: .noSuchRecords, ttl: UInt32(clamping: result.ttl), security: security,
            finalName: result.canonname.flatMap { DNSName(String(cString: $0)) })
        switch result.rcode {
        case 0:
            guard result.havedata != 0 else { break }
            let (records, unreadable) = records(of: question.type, in: result)
            answer.unreadable = unreadable
            if !records.isEmpty {
                answer.outcome = .records(records)
            } else if unreadable > 0 {
                answer = DNSAnswer(question: question, outcome: .failure(.malformed), unreadable: unreadable)
            }
        case 3: answer.outcome = .noSuchName
        case 5: answer = DNSAnswer(question: question, outcome: .failure(.refused))
        default: answer = DNSAnswer(question: question, outcome: .failure(.serverFailure))
        }
        return answer
    }

    private static func records(of type: DNSRecordType, in result: ub_result) -> ([DNSRecordData], unreadable: Int) {
        guard let data = result.data, let lengths = result.len else { return ([], 0) }
        var records: [DNSRecordData] = []
        var unreadable = 0
        var place = 0
        // A null pointer ends the list.
        while let bytes = data[place] {
            let length = max(0, Int(lengths[place]))
            place += 1
            let rdata = [UInt8](UnsafeRawBufferPointer(start: bytes, count: length))
            guard records.count < maximumRecords, let record = try? DNSRecordData.parse(type, rdata) else {
                unreadable += 1
                continue
            }
            records.append(record)
        }
        return (records, unreadable)
    }
}
