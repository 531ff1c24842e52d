import Glibc

let arguments = CommandLine.arguments
let usage = """
    usage: martlet-load smtp      --port N --sessions N --messages M --users U [--imap-port N]
           martlet-load fill      --port N --users U --messages M         (IMAP; brings each mailbox to M messages)
           martlet-load imap-mix  --port N --sessions N --users U --seconds T
           martlet-load imap-long --port N --sessions N --users U --seconds T
           martlet-load pop3      --port N --sessions N --users U --seconds T
           martlet-load relay     --port N --sink-port N|--dead D [--login] --sessions N --messages M
           martlet-load big       --port N --user K
           martlet-load null-server --port N --protocol smtp|imap|pop3
    common: --domain D --password P --size BYTES --gate
    Prints one JSON object; exits with 1 when any answer was not as expected.
    """
guard arguments.count >= 2 else {
    complain(usage)
    exit(2)
}
let options = Options(arguments[2...])
let gate = Gate(used: options.has("gate"))
let result: [(String, JSON)]
switch arguments[1] {
case "smtp": result = SMTPLoad(options: options).run(gate: gate)
case "relay": result = RelayLoad(options: options).run(gate: gate)
case "fill": result = IMAPFill(options: options).run(gate: gate)
case "imap-mix": result = IMAPLoad(options: options, turns: 1).run(gate: gate)
case "imap-long": result = IMAPLoad(options: options, turns: 100).run(gate: gate)
case "pop3": result = POP3Load(options: options).run(gate: gate)
case "big": result = BigMailbox(options: options).run(gate: gate)
case "null-server": NullServer(options: options).run()
case "--help", "help":
    print(usage)
    exit(0)
default: stop("no such subcommand: \(arguments[1])\n\(usage)")
}
print(JSON.object(result).text)
let failed = result.contains { $0.0 == "errors" && $0.1.text != "0" }
exit(failed ? 1 : 0)
