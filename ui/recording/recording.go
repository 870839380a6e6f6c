package recording

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// maxYear is the last year that JSON can contain.
const maxYear = 9999

// ErrTooLarge is the error of a recording that has reached MaxBytes.
var ErrTooLarge = errors.New("the recording has reached its maximum size")

// About says who used a terminal, and where.
type About struct {
	User      string `json:"user"`
	Namespace string `json:"namespace"`
	Instance  string `json:"instance"`
	Pod       string `json:"pod"`
	Container string `json:"container"`
}

// Entry is the line of JSON next to a recording.
type Entry struct {
	About

	Recording string    `json:"recording"`
	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt"`
	Outcome   string    `json:"outcome"`
	Bytes     int64     `json:"bytes"`
}

// header is the first line of an asciicast file. Players ignore the field appmarket, which is part of the
// digest.
type header struct {
	Version   int    `json:"version"`
	Width     uint16 `json:"width"`
	Height    uint16 `json:"height"`
	Timestamp int64  `json:"timestamp"`
	Title     string `json:"title"`
	About     About  `json:"appmarket"`
}

// Recording is a recording that is being written. It is safe for concurrent use.
type Recording struct {
	store *Store
	about Entry

	mu      sync.Mutex
	file    *os.File
	digest  hash.Hash
	written int64
	touched time.Time
	// rest is the beginning of a character whose other bytes have not arrived.
	rest []byte
}

// Begin begins a recording. An error means that a session cannot be recorded, because the directory is missing,
// full or not writable.
func (s *Store) Begin(about About, width, height uint16) (*Recording, error) {
	if err := s.makeRoom(); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(s.dir, "*"+partSuffix)
	if err != nil {
		return nil, fmt.Errorf("begin recording: %w", err)
	}
	now := time.Now()
	r := &Recording{store: s, about: Entry{About: about, StartedAt: now.UTC().Truncate(time.Millisecond)}, file: file, digest: sha256.New(), touched: now}
	if err := r.writeLine(header{
		Version: 2, Width: width, Height: height, Timestamp: now.Unix(),
		Title: fmt.Sprintf("%s: %s/%s %s", about.User, about.Namespace, about.Pod, about.Container), About: about,
	}); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	return r, nil
}

// WriteOutput adds output of the terminal. After an error the session must end, because the rest of it would not
// be recorded.
func (r *Recording) WriteOutput(output []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(r.rest, output...)
	complete := completeLength(all)
	r.rest = append([]byte(nil), all[complete:]...)
	if complete == 0 {
		return nil
	}
	return r.writeEvent("o", strings.ToValidUTF8(string(all[:complete]), "\uFFFD"))
}

// completeLength returns the length of a text without a character at its end that is not complete.
func completeLength(text []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		last := text[len(text)-back:]
		if utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return len(text) - back
			}
			break
		}
	}
	return len(text)
}

// WriteSize adds a change of the size of the terminal.
func (r *Recording) WriteSize(width, height uint16) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writeEvent("r", fmt.Sprintf("%dx%d", width, height))
}

// Touch shows other processes that the recording is not abandoned.
func (r *Recording) Touch(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.touched) < touchPeriod {
		return nil
	}
	r.touched = now
	return os.Chtimes(r.file.Name(), now, now)
}

// End completes the recording and returns its digest.
func (r *Recording) End(outcome string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(r.file.Sync(), r.file.Close()); err != nil {
		return "", fmt.Errorf("end recording: %w", err)
	}
	r.about.EndedAt, r.about.Outcome, r.about.Bytes = time.Now().UTC().Truncate(time.Millisecond), outcome, r.written
	return r.store.publishRecording(r.file.Name(), r.digest, r.about)
}

// publishRecording gives a complete recording the name of its digest, and writes its entry.
func (s *Store) publishRecording(path string, digest hash.Hash, entry Entry) (string, error) {
	entry.Recording = hex.EncodeToString(digest.Sum(nil))
	line, err := json.Marshal(entry)
	if err != nil {
		return "", fmt.Errorf("end recording: %w", err)
	}
	name := filepath.Join(s.dir, entry.Recording)
	if err := os.WriteFile(name+entrySuffix, append(line, '\n'), fileMode); err != nil {
		return "", fmt.Errorf("end recording: %w", err)
	}
	if err := os.Rename(path, name+castSuffix); err != nil {
		return "", fmt.Errorf("end recording: %w", err)
	}
	return entry.Recording, nil
}

func (r *Recording) writeEvent(kind, data string) error {
	at := time.Since(r.about.StartedAt).Round(time.Microsecond).Seconds()
	return r.writeLine([]any{at, kind, data})
}

func (r *Recording) writeLine(value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write recording: %w", err)
	}
	line = append(line, '\n')
	if r.written+int64(len(line)) > MaxBytes {
		return ErrTooLarge
	}
	n, err := r.file.Write(line)
	r.digest.Write(line[:n]) // It never returns an error.
	r.written += int64(n)
	if err != nil {
		return fmt.Errorf("write recording: %w", err)
	}
	return nil
}

// completeAbandoned completes the recording of a process that has ended without doing so. One without a
// readable header is removed.
func (s *Store) completeAbandoned(file storedFile) error {
	path := filepath.Join(s.dir, file.name)
	opened, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("complete recording: %w", err)
	}
	defer opened.Close()
	reader := bufio.NewReaderSize(opened, 16<<10)
	line, err := reader.ReadSlice('\n')
	var head header
	if err != nil || json.Unmarshal(line, &head) != nil {
		return os.Remove(path)
	}
	digest := sha256.New()
	digest.Write(line) // It never returns an error.
	if _, err := io.Copy(digest, io.LimitReader(reader, MaxBytes)); err != nil {
		return fmt.Errorf("complete recording: %w", err)
	}
	started := time.Unix(head.Timestamp, 0).UTC()
	if started.Year() < 0 || started.Year() > maxYear { // The header is damaged.
		started = file.changed.UTC()
	}
	entry := Entry{About: head.About, StartedAt: started, EndedAt: file.changed.UTC(), Outcome: "Interrupted", Bytes: file.size}
	name, err := s.publishRecording(path, digest, entry)
	if err == nil {
		s.log.Info("Completed the recording of a process that had ended", "recording", name, "user", head.About.User)
	}
	return err
}
