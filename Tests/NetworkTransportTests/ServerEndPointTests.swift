import Crypto
import Foundation
import NetworkTransport
import Testing

/// Certificates made with `openssl req -x509`, one for each kind of signature.
private enum Certificates {
    static let ecdsaSHA256 = """
        MIIBbDCCAROgAwIBAgIUEXAF1iCtFqbN3b7sMNl639y9tzowCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBYTAeFw0yNjExMjUxMTAwMjha\
        Fw0zNjExMjIxMTAwMjhaMAwxCjAIBgNVBAMMAWEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARacMpGI7YdRF9JqTHoLXq6Yyhz2ooC\
        aJG3NdCePSsii56B8wdXS4DQZG7OuBz9bI3vl4Uwb0t+5G/ojsUMjTZ8o1MwUTAdBgNVHQ4EFgQUy5g2NKd30SjnaQdKHowKPydLCA0w\
        HwYDVR0jBBgwFoAUy5g2NKd30SjnaQdKHowKPydLCA0wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiApp0w2MPkuvf4e\
        U7VBzJM1mqP/PtfyrPQZ6AGXQt6psgIgHedb527zKly0gs3U47JoAqZSwidbaQeqLo+I+FzD12E=
        """
    static let ecdsaSHA384 = """
        MIIBbDCCAROgAwIBAgIUcwo1X9KYe+zRJ6kB4ihrqHv9LfwwCgYIKoZIzj0EAwMwDDEKMAgGA1UEAwwBYTAeFw0yNjExMjUxMTAwMjha\
        Fw0zNjExMjIxMTAwMjhaMAwxCjAIBgNVBAMMAWEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATAMTEIvdWQf+3w0DskbFAWxfYkvXuA\
        6qJ/dEDoQC4+Om9loBQaPMk2XjZ033g9I71pyumSR6AxuvP4D7KvhIXMo1MwUTAdBgNVHQ4EFgQUxcoQ2mid76yA3Jq3Z+8hBY4i0SAw\
        HwYDVR0jBBgwFoAUxcoQ2mid76yA3Jq3Z+8hBY4i0SAwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAwNHADBEAiAw9qqABd0E3HEB\
        aYNO7Kx56r9ReQdwldPXnZd3VmkCPwIgeKQmOxH8ewqMBS8udEfFHa5PTqn09eV7OPZmN90Ky4s=
        """
    static let ecdsaSHA512 = """
        MIIBbDCCAROgAwIBAgIUb1MtTyw+eaHAmOT3DGXvwUsATTUwCgYIKoZIzj0EAwQwDDEKMAgGA1UEAwwBYTAeFw0yNjExMjUxMTAwMjha\
        Fw0zNjExMjIxMTAwMjhaMAwxCjAIBgNVBAMMAWEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARmD2DviOzZSG9vKOJQjz1rtkVfAO5F\
        OojbSiafYALa3DHD4Hgl6JrGcVRV1B5NopmgSS66lFsZLCzKT8aL1jL7o1MwUTAdBgNVHQ4EFgQU5L8Sr9o/7B69JZmoUnByPdydWOcw\
        HwYDVR0jBBgwFoAU5L8Sr9o/7B69JZmoUnByPdydWOcwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDBANHADBEAiAJWk+W8uvL6Vfu\
        qu8qXR1OCXPyCd3wrZxuDtCc5sJ+oQIgbaqmv7MGC/3uMsdsyjykPoDULLDd0JEDyN+Gtl1OB4s=
        """
    static let rsaSHA1 = """
        MIIB9DCCAV2gAwIBAgIUNEl5XJeOoVY2PbrHVCf6NBFYA50wDQYJKoZIhvcNAQEFBQAwDDEKMAgGA1UEAwwBYTAeFw0yNjExMjUxMTAw\
        MjhaFw0zNjExMjIxMTAwMjhaMAwxCjAIBgNVBAMMAWEwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGBAK9w/9lG/h+uPl3uJGarK6ab\
        +Pqb9bF08xIhEf1sCqcRE8Ah/6xErJkG6tDf0t1+ROPdDmgsxmXH8XzcZy9bAjHfuMn9RUpRUeGhPhAwkurO0Zan2kbJAypjgUOANoOu\
        bVwds+rnVDMMe+FBheifoxHDsiRyNSxdgarCF9gT66Y5AgMBAAGjUzBRMB0GA1UdDgQWBBThHJHh3MSSB45aju/oLmuyzg5sEzAfBgNV\
        HSMEGDAWgBThHJHh3MSSB45aju/oLmuyzg5sEzAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBBQUAA4GBAHy51q1d9+wKd8ChNkG/\
        F2Bi7YpNAcS7AQVQvXHgBn+l92b0mBoz27xWiz68pd9Jdl5JbSqeojzMtQH1a7xce7w1vE8c+0E1omdwOQf/JqjpSAjwhtrKFOzhgQje\
        e9BkmGOrsSH2LHHfyywyxdGpNaJn1Gb/0xfI/X3ZWKdj7V1J
        """
    static let rsaSHA384 = """
        MIIB9DCCAV2gAwIBAgIUUOLdZhQnG7qz8K9qi1jcwzu8VqAwDQYJKoZIhvcNAQEMBQAwDDEKMAgGA1UEAwwBYTAeFw0yNjExMjUxMTAw\
        MjhaFw0zNjExMjIxMTAwMjhaMAwxCjAIBgNVBAMMAWEwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGBALfZToWibrhZT7ki8r5uuoVa\
        mlho1wxHukNV0q5Ojq+JOrcnD0rohGZDzfyNLN3Gk00aiFcFKdbvdQvSW9n3aXftH28JgOrFtJV0+DqCnMceIGR9/Na6D6+rBjLtabYb\
        TK1Oe2ylOwC0uAmL0Z73E5ohbwNUjEnPX2X+6QFPeANFAgMBAAGjUzBRMB0GA1UdDgQWBBRdiCzuWpa13x6FKGNJIZAw+tRzFzAfBgNV\
        HSMEGDAWgBRdiCzuWpa13x6FKGNJIZAw+tRzFzAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBDAUAA4GBAJ37i4DRKW6JAMZq3zDY\
        x6xGISf99fYnuhvRVDYp1Pq5v7byR6EFkTrDA3Wcb9A9JH3EJc5hUtzbz7NQoMCnYKt1sBxN4IFB3a07sbAs7K8aL2zfKGLcYEGOu0Ek\
        lo2IjZ1hCFQspsbpFRqug1M6ktyGXn/xqaTj/8SLYhFJGaIz
        """
    static let rsaPSSSHA512 = """
        MIIC3DCCAdGgAwIBAgIUD8JT1v5+ZuYqS4sQv0z7b3XjK/8wQQYJKoZIhvcNAQEKMDSgDzANBglghkgBZQMEAgMFAKEcMBoGCSqGSIb3\
        DQEBCDANBglghkgBZQMEAgMFAKIDAgF+MAwxCjAIBgNVBAMMAWEwHhcNMjYxMTI1MTEwMDI4WhcNMzYxMTIyMTEwMDI4WjAMMQowCAYD\
        VQQDDAFhMIHfMA0GCSqGSIb3DQEBAQUAA4HNADCByQKBwQDXHsV5aAjPsrnAzAYylPUKWOr3iHYVQ4CflrWcBKDUNCbW2TN8h3LMimYg\
        vvZKUvyLeYGE4p+BOKvQPKaPS/8BuQUj1RGC5mxZsJCM6vSJfrrq6FYqAcZUChZRul6Nw/SFgB1CGIyE6SosHwBcEKk4Uke9N+OiTKt9\
        kmUcIe6FNIiinWEY0aW1Wl4rk4u34IqItgfUIgid1P06d3hkDqF0xghvBRHmu4XDkZ5IXud2kE4aRRIJZpWaWr2mvTtUmssCAwEAAaNT\
        MFEwHQYDVR0OBBYEFFDMQ6rIk//P1Su2GBHc/iOVz4PFMB8GA1UdIwQYMBaAFFDMQ6rIk//P1Su2GBHc/iOVz4PFMA8GA1UdEwEB/wQF\
        MAMBAf8wQQYJKoZIhvcNAQEKMDSgDzANBglghkgBZQMEAgMFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgMFAKIDAgF+A4HBAKLB\
        5myHFADeeUyN4AU3OGp1qzIloEwfR6s1PfQSh7a22jZtp5fNXq7lnG9gXgmAGg7IQqau9+mFc+sF/OY4NJdjYAyIOjtTbFH3w54T1+8z\
        zxLAVK3tPeTL4EzI+LN+w/6j0Krxlnb47cAEp/jpYaNyG4BzDkSA3tcf4Y5KmDy/FS4bkjbs5sWQm/pulEe2zhsr1+suT5hnXQZrH/P7\
        dLlMBgZfBUFE/3zz47elPg2ZUoZDGwseiuFVVkTDWXT1Zg==
        """
    static let ed25519 = """
        MIIBLDCB36ADAgECAhQyYjD17ZBWl9POs62LWUu7jISQXjAFBgMrZXAwDDEKMAgGA1UEAwwBYTAeFw0yNjExMjUxMTAwMjhaFw0zNjEx\
        MjIxMTAwMjhaMAwxCjAIBgNVBAMMAWEwKjAFBgMrZXADIQB0kvkz0KmUXrxS6F3jiYTaT9MeMzcdbi8k6xNDyCLrCqNTMFEwHQYDVR0O\
        BBYEFCfTEEr2DXtkWM/OgEbrr3/oY+/pMB8GA1UdIwQYMBaAFCfTEEr2DXtkWM/OgEbrr3/oY+/pMA8GA1UdEwEB/wQFMAMBAf8wBQYD\
        K2VwA0EAyr/EHwXkX1bSmh6mJqvl+OGp3tg36j6LOQ1idV54JGIln0fnOy6nl8AjWK+f0Ed5m65Thp32djtcnEyJ6iF4Cw==
        """
}

@Suite struct ServerEndPointTests {
    private func der(_ base64: String) throws -> [UInt8] { Array(try #require(Data(base64Encoded: base64))) }

    @Test(
        "SHA-256 where the signature has it, or a weaker hash, or none of its own (RFC 5929 §4.1)",
        arguments: [Certificates.ecdsaSHA256, Certificates.rsaSHA1, Certificates.ed25519])
    func sha256(_ certificate: String) throws {
        let bytes = try der(certificate)
        #expect(ServerEndPoint.hash(certificate: bytes) == Array(SHA256.hash(data: bytes)))
    }

    @Test("SHA-384 where the signature has it", arguments: [Certificates.ecdsaSHA384, Certificates.rsaSHA384])
    func sha384(_ certificate: String) throws {
        let bytes = try der(certificate)
        #expect(ServerEndPoint.hash(certificate: bytes) == Array(SHA384.hash(data: bytes)))
    }

    @Test(
        "SHA-512 where the signature has it, as a parameter of RSASSA-PSS too",
        arguments: [Certificates.ecdsaSHA512, Certificates.rsaPSSSHA512])
    func sha512(_ certificate: String) throws {
        let bytes = try der(certificate)
        #expect(ServerEndPoint.hash(certificate: bytes) == Array(SHA512.hash(data: bytes)))
    }

    @Test("Bytes that are no certificate, or a part of one, are hashed and crash nothing")
    func cutOff() throws {
        let bytes = try der(Certificates.rsaPSSSHA512)
        for end in 0..<bytes.count { #expect(ServerEndPoint.hash(certificate: Array(bytes[..<end])).count >= 32) }
    }
}
