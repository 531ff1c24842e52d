import Crypto
import CryptoExtras
import X509
import NIOSSL
import Yams
