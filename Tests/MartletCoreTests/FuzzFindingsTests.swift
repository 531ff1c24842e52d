import MartletCore
import Testing

/// What Fuzz/FuzzAddress found, replayed.
@Suite struct FuzzFindingsTests {
    @Test(
        "a NUL makes no domain: libidn2 would take what stands before it", arguments: ["ü.test\0", "ü.test\0.example"])
    func nulInDomain(text: String) {
        #expect(Domain(text) == nil)
        #expect(EmailAddress("anna@" + text) == nil)
    }
}
