/// Who answers questions to the DNS: libunbound in production, zone files in the lab and in tests.
///
/// Never throws: what went wrong is an answer too, since decisions rest on it. A call ends within a bounded time, and soon
/// after its task is cancelled.
public protocol Resolving: Sendable {
    /// The records of one name and type; CNAMEs are followed.
    func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSAnswer

    /// Answers in the order of the questions. A resolver that can asks them at the same time.
    func resolve(_ questions: [DNSQuestion]) async -> [DNSAnswer]
}

extension Resolving {
    public func resolve(_ questions: [DNSQuestion]) async -> [DNSAnswer] {
        var answers: [DNSAnswer] = []
        for question in questions { answers.append(await resolve(question.name, question.type)) }
        return answers
    }
}

/// What is asked, in class IN.
public struct DNSQuestion: Sendable, Hashable, CustomStringConvertible {
    public var name: DNSName
    public var type: DNSRecordType

    public init(_ name: DNSName, _ type: DNSRecordType) {
        self.name = name
        self.type = type
    }

    /// `example.test. MX`
    public var description: String { "\(name) \(type.name)" }
}
