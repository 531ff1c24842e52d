internal import DeliveryPolicy
internal import MailStore
internal import MartletCore
internal import Records
internal import SMTPProtocol

/// The transaction that MAIL began, as decided so far.
struct Envelope {
    var reversePath: ReversePath
    var parameters: MailParameters
    var recipients: [DeliveryPlan.Recipient] = []
    var decisions: [Decision] = []
    /// The record's code, from the moment that the message begins.
    var code: LookupCode?
    /// The spool could not be opened.
    var failure: StoreError?

    /// nil for `<>`.
    var sender: EmailAddress? {
        if case .address(let address) = reversePath { return address }
        return nil
    }
}
