import ArgumentParser
import Foundation
import MartletServer

/// Where the data is: `--dir` or `--config`, the same for all commands; and `--json`.
struct StoreLocation: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The directory of a lab or a server's data (default: what MARTLET_SERVER_DATA_DIRECTORY says, then ./lab).",
            valueName: "dir")
    )
    var dir: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The server's configuration file, which names its data directory.", valueName: "file"))
    var config: String?

    @Flag(name: .long, help: "Print JSON, for programs.")
    var json = false

    func validate() throws {
        if dir != nil, config != nil { throw ValidationError("Give --dir or --config, not both.") }
    }

    /// Where the data is and how it is configured.
    func resolve() throws(CommandFailure) -> (DataDirectory, Configuration) {
        if let config {
            let loaded = try ConfigurationLoading.load(path: config, overrides: [])
            return (DataDirectory(loaded.configuration.server.dataDirectory), loaded.configuration)
        }
        let loaded = try ConfigurationLoading.load(path: nil, overrides: [])
        if let dir { return (DataDirectory(dir), loaded.configuration) }
        // A value from the environment is said on purpose; the built-in one is a guess.
        if case .environment = loaded.settings["server.data-directory"].origin {
            return (DataDirectory(loaded.configuration.server.dataDirectory), loaded.configuration)
        }
        let lab = DataDirectory("lab")
        if lab.isInUse || lab.hasControlSocket { return (lab, loaded.configuration) }
        throw CommandFailure(
            .usage,
            "where is the data? There is no ./lab here: name a directory with --dir, or a configuration with --config")
    }

    /// Whether there is a server, or its data, that can be asked.
    func hasData() throws(CommandFailure) -> Bool {
        guard dir == nil else { return true }
        guard let directory = try? resolve().0 else {
            // Neither named nor found: a mistake in the configuration is told all the same.
            _ = try configuration()
            return false
        }
        return directory.isInUse || directory.hasControlSocket
    }

    /// What is configured, wherever the data is.
    func configuration() throws(CommandFailure) -> Configuration {
        try ConfigurationLoading.load(path: config, overrides: []).configuration
    }

    /// Where the data is.
    func directory() throws(CommandFailure) -> DataDirectory { try resolve().0 }

    /// Does what is asked and ends with the right exit code when it cannot be done.
    func perform(_ request: AdministrationRequest) async throws(CommandFailure) -> AdministrationResponse {
        try await session { (session) throws(CommandFailure) in try await ask(session, request) }
    }

    /// Several requests on one session.
    func session<Value>(_ body: (AdministrationSession) async throws(CommandFailure) -> Value)
        async throws(CommandFailure) -> Value
    {
        let (directory, configuration) = try resolve()
        let session: AdministrationSession
        do throws(AdministrationUnreachable) {
            session = try await AdministrationSession.open(directory, configuration: configuration)
        } catch {
            throw CommandFailure(.unreachable, error.description)
        }
        defer { session.close() }
        return try await body(session)
    }

    func ask(_ session: AdministrationSession, _ request: AdministrationRequest) async throws(CommandFailure)
        -> AdministrationResponse
    {
        let response: AdministrationResponse
        do throws(AdministrationUnreachable) { response = try await session.perform(request) } catch {
            throw CommandFailure(.unreachable, error.description)
        }
        guard case .failure(let failure) = response else { return response }
        switch failure.kind {
        case .notFound, .refused: throw CommandFailure(.no, failure.description)
        case .invalid: throw CommandFailure(.usage, failure.description)
        case .unavailable: throw CommandFailure(.unreachable, failure.description)
        }
    }

    /// JSON when that is asked for, otherwise text.
    func show(_ value: some Encodable, text: () -> String) {
        if json { Terminal.print(JSONOutput.text(value)) } else { Terminal.print(text()) }
    }

    /// A sentence about what was done.
    func show(_ response: AdministrationResponse) {
        guard case .done(let sentence) = response else { return }
        if json { Terminal.print(JSONOutput.text(["done": sentence])) } else { Terminal.print(sentence) }
    }
}

/// What `--limit` takes, the same for all lists.
enum ListLimit {
    static func check(_ limit: Int) throws(ValidationError) {
        guard (1...AdministrationRequest.maximumList).contains(limit) else {
            throw ValidationError("--limit takes 1 to \(AdministrationRequest.maximumList).")
        }
    }
}

/// Values as JSON with sorted keys, one to a command.
enum JSONOutput {
    static func text(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else { return "null" }
        return String(decoding: data, as: UTF8.self)
    }
}

/// Reads the configuration for commands; every mistake is a line, and the exit code 2.
enum ConfigurationLoading {
    static func load(path: String?, overrides: [String]) throws(CommandFailure) -> (
        configuration: Configuration, settings: ConfigurationSettings
    ) {
        var file: (text: String, path: String)?
        if let path {
            guard let bytes = DataDirectory.bytes(of: path) else {
                throw CommandFailure(.usage, "\(escapedForTerminal(path)): cannot be read; is the path right?")
            }
            file = (String(decoding: bytes, as: UTF8.self), path)
        }
        do throws(ConfigurationErrors) {
            return try Configuration.load(
                file: file, environment: ProcessInfo.processInfo.environment, overrides: overrides)
        } catch {
            throw CommandFailure(.usage, error.description)
        }
    }
}

/// How a new password is given: never as an argument, where other users and the shell's history would see it.
struct PasswordOptions: ParsableArguments {
    @Flag(name: .long, help: "Read the password from standard input: its first line.")
    var passwordStdin = false

    @Option(name: .long, help: ArgumentHelp("Read the password from a file: its first line.", valueName: "file"))
    var passwordFile: String?

    func validate() throws {
        if passwordStdin, passwordFile != nil {
            throw ValidationError("Give --password-stdin or --password-file, not both.")
        }
    }

    /// The password, and whether it was made here and must be shown.
    func password(for address: String) throws(CommandFailure) -> (password: PasswordText, isGenerated: Bool) {
        if let passwordFile {
            guard let bytes = DataDirectory.bytes(of: passwordFile) else {
                throw CommandFailure(.usage, "\(escapedForTerminal(passwordFile)): cannot be read; is the path right?")
            }
            return (try checked(bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }), false)
        }
        if passwordStdin { return (try checked((Terminal.readLine() ?? [])[...]), false) }
        if Terminal.isInteractive {
            let first =
                Terminal.ask(secretly: "Password for \(escapedForTerminal(address)) (empty: one is made): ") ?? []
            if !first.isEmpty {
                guard Terminal.ask(secretly: "The same again: ") == first else {
                    throw CommandFailure(.usage, "the two passwords differ; nothing was changed")
                }
                return (try checked(first[...]), false)
            }
        }
        return (PasswordText(GeneratedPassword.make()), true)
    }

    private func checked(_ bytes: ArraySlice<UInt8>) throws(CommandFailure) -> PasswordText {
        guard !bytes.isEmpty, let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure(.usage, "the password is empty or no UTF-8; nothing was changed")
        }
        return PasswordText(.init(text))
    }
}
