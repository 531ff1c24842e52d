import DNSProtocol
import Synchronization

/// Answers from lines of text: `example.test MX`, `->`, then records as master files have them, separated by ` | `, or one of
/// `NXDOMAIN`, `NODATA`, `TIMEOUT`, `SERVFAIL`, `BOGUS`. A line may begin with `secure `. Names that no line has do not exist.
final class ScriptedResolver: Resolving {
    struct Mistake: Error, CustomStringConvertible {
        let description: String
    }

    private let answers: [DNSQuestion: DNSAnswer]
    private let asked = Mutex<[DNSQuestion]>([])

    /// In their order.
    var questions: [DNSQuestion] { asked.withLock { $0 } }

    init(_ script: String) throws {
        var answers: [DNSQuestion: DNSAnswer] = [:]
        for line in script.split(separator: "\n") {
            var words = line.split(separator: " ").map(String.init)[...]
            let isSecure = words.first == "secure"
            if isSecure { words.removeFirst() }
            guard words.count >= 4, let name = DNSName(words.removeFirst()),
                let type = DNSRecordType(name: words.removeFirst()), words.removeFirst() == "->"
            else { throw Mistake(description: String(line)) }
            let question = DNSQuestion(name, type)
            var finalName: DNSName?
            let outcome: DNSAnswer.Outcome
            switch words.first {
            case "NXDOMAIN": outcome = .noSuchName
            case "NODATA": outcome = .noSuchRecords
            case "TIMEOUT": outcome = .failure(.timeout)
            case "SERVFAIL": outcome = .failure(.serverFailure)
            case "BOGUS": outcome = .failure(.bogus("signature expired"))
            default:
                if words.first == "CNAME" {
                    finalName = DNSName(words[words.startIndex + 1])
                    words = words.dropFirst(2)
                }
                let zone = words.joined(separator: " ").split(separator: "|").map { "@ \(type.name) \($0)\n" }.joined()
                outcome = .records(try ZoneFile.parse(Array(zone.utf8)).records.map(\.data))
            }
            answers[question] = DNSAnswer(
                question: question, outcome: outcome, ttl: 300, security: isSecure ? .secure : .insecure,
                finalName: finalName)
        }
        self.answers = answers
    }

    func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSAnswer {
        let question = DNSQuestion(name, type)
        asked.withLock { $0.append(question) }
        if let answer = answers[question] { return answer }
        let exists = answers.keys.contains { $0.name == name }
        return DNSAnswer(
            question: question, outcome: exists ? .noSuchRecords : .noSuchName, ttl: 60, security: .insecure)
    }
}
