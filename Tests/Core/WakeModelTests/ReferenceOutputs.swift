/// What TensorFlow Lite, out of pymicro-wakeword 2.5.0, makes of the tests' features: a hash of each 1,000 outputs
/// (Benchmarks/wake/reference.py). `file` is one of the file.
enum ReferenceOutputs {
    struct Model {
        let name: String
        let file, features, restless: [UInt32]
    }

    static let models = [
        Model(
            name: "alexa", file: [0x3d50a334],
            features: [
                0x4f72158a, 0xb790e7af, 0xe7e88717, 0x56469be4, 0x94b57c8f, 0xc8fc8531, 0x5255ef04, 0xdd2346f0,
                0x4f9faf20, 0x055841bd, 0x6fe4ed30,
            ],
            restless: [
                0x31e4eae5, 0x31e4eae5, 0xa70a6c22, 0x349a9228, 0x3e5f5595, 0x31e4eae5, 0x31e4eae5, 0x9ee19696,
                0xb47006cc, 0x31e4eae5,
            ]),
        Model(
            name: "hey_jarvis", file: [0x651bd571],
            features: [
                0x31e4eae5, 0x31e4eae5, 0x380c66e3, 0xed9bf56c, 0x91870808, 0xdc91258a, 0x054edcbd, 0x31e4eae5,
                0x31e4eae5, 0x31e4eae5, 0xff44c929,
            ],
            restless: [
                0xff279b5b, 0xe1553624, 0x9ff4cd32, 0x10e94860, 0x34f5ceff, 0xc004dfb7, 0x8f2e8bf0, 0xbed0f8bc,
                0xd57a7d71, 0x8210ea98,
            ]),
        Model(
            name: "hey_mycroft", file: [0xd212e3af],
            features: [
                0xa5122f0e, 0xf80aa59a, 0xff6572ab, 0x7440aed0, 0x7f3449d8, 0x159b0963, 0x50353e3f, 0xb10d78ea,
                0xc91e1d8d, 0xd5f74924, 0x15c529e9,
            ],
            restless: [
                0xe5b8f62c, 0xbcde1f85, 0x392fa6c3, 0xdb600303, 0x252d5101, 0xac1dae8a, 0xeeae8b42, 0x963eea68,
                0xc03b804e, 0x000da2fc,
            ]),
        Model(
            name: "okay_nabu", file: [0x18e286a3],
            features: [
                0xd1334555, 0xd61a609b, 0x8c5c2afd, 0x00bb7290, 0x7b64ecc8, 0xef2acdc4, 0xc9989c92, 0xbdb4463f,
                0x85db8a0d, 0x7fc7e35f, 0x63918ef8,
            ],
            restless: [
                0x49e136bf, 0x0d795187, 0x8324e2ef, 0xc43889b5, 0xbb8ed502, 0xfdf6fa30, 0x2417b208, 0x250af2cc,
                0x550bff7c, 0x3677a01b,
            ]),
        Model(
            name: "choo_choo_homie", file: [0x2948eebe],
            features: [
                0x6c58e044, 0x31e4eae5, 0x31e4eae5, 0x31e4eae5, 0x31e4eae5, 0x31e4eae5, 0x31e4eae5, 0x31e4eae5,
                0x31e4eae5, 0x31e4eae5, 0x53fc2859,
            ],
            restless: [
                0xbcfd0027, 0xdd556889, 0x5f8008cd, 0x9888130f, 0xab395b3f, 0x5d6190ec, 0x11a7d220, 0x31e4eae5,
                0x51010a3c, 0xfe160105,
            ]),
        Model(
            name: "okay_nabu_2024", file: [0x1af99b76],
            features: [
                0xfa57d86b, 0xc577ab9a, 0xce1f781e, 0x8989cc74, 0xa1728b13, 0xa08a5e3d, 0x6b0fc573, 0x9b1458f7,
                0x0e295461, 0x7af7b864, 0xfb25e02b,
            ],
            restless: [
                0xf3d3cf88, 0x145d8e5f, 0xf820d02d, 0xc73805f0, 0xaef83aae, 0x2b648667, 0x086b55d4, 0xcfd71e57,
                0x2c281ef2, 0x31e4eae5,
            ]),
        Model(
            name: "stop", file: [0x0b21138a],
            features: [
                0x3ec068db, 0xf14117aa, 0x3d52a9fb, 0x00e489fd, 0x5706480f, 0x91ee3ab2, 0xdc6e5355, 0x1e200c2e,
                0x10f79900, 0xc848c744, 0xad72c221,
            ],
            restless: [
                0xfbafc795, 0x31e4eae5, 0xc47bafac, 0x31e4eae5, 0x8f219459, 0x31e4eae5, 0x9be55717, 0x31e4eae5,
                0x31e4eae5, 0xc90523c4,
            ]),
        Model(
            name: "vad", file: [0x923f4779],
            features: [
                0x8d4d3c7c, 0x6557167e, 0x533b20b8, 0x4e600b27, 0x54469767, 0xcb76f4e5, 0x43c3c041, 0x2300c638,
                0x8d989fd8, 0x1cabca78, 0x6ca2dd1a,
            ],
            restless: [
                0x928d4a49, 0x7c81a014, 0x0007c8b7, 0xa5a8af77, 0xcdcaa0cf, 0x616d9413, 0xcd0fde84, 0xa318e092,
                0x922648a5, 0x16c17d6d,
            ]),
    ]
}
