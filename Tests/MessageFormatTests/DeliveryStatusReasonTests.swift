import MartletCore
import MessageFormat
import Testing

@Suite struct DeliveryStatusReasonTests {
    @Test(
        "The common causes have a name",
        arguments: [
            ("5.1.1", nil, .noSuchUser), ("5.1.2", nil, .noSuchDomain), ("5.1.3", nil, .badAddress),
            ("5.1.6", nil, .moved),
            ("5.1.10", nil, .acceptsNoMail), ("5.2.1", nil, .mailboxDisabled), ("4.2.2", nil, .mailboxFull),
            ("5.2.3", nil, .messageTooLarge), ("5.3.4", nil, .messageTooLarge), ("4.3.1", nil, .serverFull),
            ("4.4.1", nil, .noAnswer), ("4.4.2", nil, .connectionBroken), ("4.4.3", nil, .nameServerFailed),
            ("5.4.4", nil, .noRoute), ("5.4.6", nil, .loop), ("4.4.7", nil, .tooLate), ("5.5.2", nil, .protocolProblem),
            ("5.6.3", nil, .conversionNeeded), ("5.6.7", nil, .internationalAddress),
            ("5.6.9", nil, .internationalAddress),
            ("5.7.1", nil, .notAllowed), ("5.7.23", nil, .unproven), ("5.7.26", nil, .unproven),
            ("5.7.25", nil, .blocked),
            ("5.7.30", nil, .encryptionNeeded), ("5.0.0", nil, .unknown), ("4.0.0", nil, .tryLater),
            ("5.99.99", nil, .unknown), ("5.1.99", nil, .badAddress),
        ] as [(String, String?, DeliveryReason)])
    func codes(code: String, reply: String?, reason: DeliveryReason) throws {
        let parts = code.split(separator: ".").compactMap { UInt16($0) }
        #expect(DeliveryReason(status: EnhancedStatus(UInt8(parts[0]), parts[1], parts[2]), reply: reply) == reason)
    }

    @Test(
        "Where the code says little, the words count",
        arguments: [
            (EnhancedStatus(5, 0, 0), "550 User Unknown", .noSuchUser),
            (EnhancedStatus(5, 0, 0), "550 mailbox full", .mailboxFull),
            (EnhancedStatus(5, 7, 1), "550 5.7.1 Rejected by SPF", .unproven),
            (EnhancedStatus(5, 7, 1), "550 5.7.1 your IP is on a blocklist", .blocked),
            (EnhancedStatus(5, 7, 1), "554 5.7.1 message looks like SPAM", .looksLikeSpam),
            (EnhancedStatus(4, 7, 1), "450 4.7.1 greylisted, try again", .tryLater),
            (EnhancedStatus(4, 0, 0), "connection timed out", .noAnswer),
            (EnhancedStatus(5, 1, 1), "550 5.1.1 spam virus quota exceeded", .noSuchUser),
            (EnhancedStatus(5, 0, 0), "", .unknown), (EnhancedStatus(5, 0, 0), "550 nö", .unknown),
        ] as [(EnhancedStatus, String, DeliveryReason)])
    func words(status: EnhancedStatus, reply: String, reason: DeliveryReason) {
        #expect(DeliveryReason(status: status, reply: reply) == reason)
    }

    @Test("Each reason is a sentence that names who it is about, and has an advice", arguments: DeliveryReason.allCases)
    func sentences(reason: DeliveryReason) {
        for host in ["mx.b.test", nil] {
            let sentence = reason.explanation(domain: "b.test", host: host)
            #expect(sentence.hasSuffix(".") && sentence.first?.isUppercase == true)
        }
        #expect(reason.advice.hasSuffix(".") && reason.advice.first?.isUppercase == true)
    }
}
