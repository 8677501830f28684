// Segment an image over REST: segment IMAGE [URL]
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Result is what the service returns. encoding/json reads and writes a []byte as Base64.
type Result struct {
	LabelMap []int  `json:"labelMap"` // a class id for each pixel, row by row
	Size     [2]int `json:"size"`     // height, width
	Image    []byte `json:"image"`    // JPEG
}

func segment(image []byte, url string) (*Result, error) {
	body, err := json.Marshal(map[string][]byte{"image": image})
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: 100 * time.Second} // the service gives up after 60
	response, err := client.Post(url+"/semantic-segmentation", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("no answer from %s: %w", url, err)
	}
	defer response.Body.Close()

	var answer struct {
		ErrorCode int    `json:"errorCode"`
		ErrorMsg  string `json:"errorMsg"`
		Result    Result `json:"result"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.ErrorMsg == "" {
		return nil, fmt.Errorf("%s answered %d, but not in the service's format", url, response.StatusCode)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%d: %s", answer.ErrorCode, answer.ErrorMsg)
	}
	return &answer.Result, nil
}

func run(path, url string) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	result, err := segment(image, url)
	if err != nil {
		return err
	}

	height, width := result.Size[0], result.Size[1]
	labels := make([]byte, len(result.LabelMap))
	for i, id := range result.LabelMap {
		labels[i] = byte(id)
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	header := fmt.Sprintf("P5 %d %d 255\n", width, height)
	if err := os.WriteFile(name+"_labels.pgm", append([]byte(header), labels...), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(name+"_picture.jpg", result.Image, 0o644); err != nil {
		return err
	}
	fmt.Printf("%s_labels.pgm: %dx%d, SHA-256 %x\n", name, width, height, sha256.Sum256(labels))
	return nil
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: segment IMAGE [URL]")
		os.Exit(2)
	}
	url := "http://localhost:8080"
	if len(os.Args) == 3 {
		url = os.Args[2]
	}
	if err := run(os.Args[1], url); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
