/// What the demo was asked for.
struct Options: Equatable {
    var sentence = "What will the weather be like tomorrow?"
    var binaries = ".build-embedded/release"
    var plugin = ".build-fake-alsa"
    var models = ".build-wake/models"
    var keep: String?
    var isPlain = false
    var wantsHelp = false

    /// What the person has to correct.
    struct Misuse: Error, Equatable {
        var message: String
    }

    init() {}

    init(arguments: [String]) throws(Misuse) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            func value() throws(Misuse) -> String {
                if parts.count == 2 { return String(parts[1]) }
                guard let next = rest.popFirst() else { throw Misuse(message: "\(argument) needs a value; try --help") }
                return next
            }
            switch parts[0] {
            case "--say": sentence = try value()
            case "--bin": binaries = try value()
            case "--plugin": plugin = try value()
            case "--models": models = try value()
            case "--keep": keep = try value()
            case "--plain": isPlain = true
            case "--help", "-h": wantsHelp = true
            default: throw Misuse(message: "puckdemo does not know \(argument); try --help")
            }
        }
        guard sentence.contains(where: { $0.isLetter || $0.isNumber }) else {
            throw Misuse(message: "there is nothing to say in \"\(sentence)\": give --say some words")
        }
    }

    static let help = """
        usage: puckdemo [OPTION]...

        Three pucks in one flat hear somebody talk, which wakes none of them, and then "okay nabu" and a spoken
        sentence; exactly one may answer, and does. A fourth, in the cellar, hears nothing and stays dark.
        Runs the real puckhub and puckd on a sound device made of files; takes about fifteen seconds.

          --say TEXT     the sentence; at most 8 s of speech
          --bin DIR      where puckd, puckctl and puckhub lie  (default: .build-embedded/release)
          --models DIR   where okay_nabu.json lies        (default: .build-wake/models)
          --plugin DIR   where the fake sound device lies (default: .build-fake-alsa)
          --keep DIR     keep recordings, logs and configuration there
          --plain        one line an event, no colours; the default when stdout is no terminal
          --help         this text

        Exit status: 0 when all is as it should be, 1 when a check failed, 2 when it could not run.

        """
}
