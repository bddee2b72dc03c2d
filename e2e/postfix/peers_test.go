package postfix

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/textproto"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/brood-project/brood/internal/await"
)

// dialFrom opens a session from another loopback address, so that a server
// takes us for somebody it has never seen. It does not wait for the greeting.
func dialFrom(t *testing.T, source, addr string) *dialog {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	c, err := dialer.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(await.Patience)))
	return &dialog{t: t, raw: c, Conn: textproto.NewConn(c)}
}

// certificate writes a certificate that is its own authority, and its key.
func certificate(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "brood.test"}, DNSNames: []string{"brood.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// blocklist is a name server on a loopback address of its own that lists every
// client as 127.0.0.2, and answers nothing but that. It returns the address.
func blocklist(t *testing.T) string {
	t.Helper()
	var server net.PacketConn
	var host string
	for server == nil {
		host = fmt.Sprintf("127.%d.%d.53", 1+mathrand.IntN(250), 1+mathrand.IntN(250))
		c, err := net.ListenPacket("udp", net.JoinHostPort(host, "53"))
		if err == nil {
			server = c
		}
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		query := make([]byte, 1500)
		for {
			n, client, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			if answer := listed(query[:n]); answer != nil {
				_, _ = server.WriteTo(answer, client)
			}
		}
	}()
	return host
}

// listed answers a query for an address with 127.0.0.2, and any other with
// nothing. The format is in RFC 1035, section 4.
func listed(query []byte) []byte {
	const header, typeA = 12, 1
	end := header
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root label, type and class
	if end > len(query) {
		return nil
	}
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[header:end]...)
	if binary.BigEndian.Uint16(query[end-4:]) == typeA {
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 2)
	}
	return answer
}

// ownerOf is the user that owns a file.
func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
