<?php
// Segment an image over REST: php segment.php IMAGE [URL]

declare(strict_types=1);

/** The service's result: labelMap, size and image. */
function segment(string $image, string $url): array
{
    $call = curl_init("$url/semantic-segmentation");
    curl_setopt_array($call, [
        CURLOPT_POSTFIELDS => json_encode(['image' => base64_encode($image)]),
        CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 100, // s; the service gives up after 60
    ]);
    $body = curl_exec($call);
    if ($body === false) {
        throw new RuntimeException("no answer from $url: " . curl_error($call));
    }
    $status = curl_getinfo($call, CURLINFO_RESPONSE_CODE);
    $answer = json_decode($body, true);
    if (!isset($answer['errorCode'], $answer['errorMsg'])) {
        throw new RuntimeException("$url answered $status, but not in the service's format");
    }
    if ($status !== 200) {
        throw new RuntimeException("{$answer['errorCode']}: {$answer['errorMsg']}");
    }
    return $answer['result'];
}

function write(string $path, string $content): void
{
    if (@file_put_contents($path, $content) === false) {
        throw new RuntimeException("cannot write $path");
    }
}

function main(string $path, string $url = 'http://localhost:8080'): void
{
    $image = @file_get_contents($path);
    if ($image === false) {
        throw new RuntimeException("cannot read $path");
    }
    $result = segment($image, $url);

    [$height, $width] = $result['size'];
    $labels = ''; // a class id for each pixel, row by row
    foreach ($result['labelMap'] as $id) {
        $labels .= chr($id);
    }
    $name = pathinfo($path, PATHINFO_FILENAME);
    write("{$name}_labels.pgm", "P5 $width $height 255\n$labels");
    write("{$name}_picture.jpg", base64_decode($result['image']));
    echo "{$name}_labels.pgm: {$width}x$height, SHA-256 ", hash('sha256', $labels), "\n";
}

if ($argc < 2 || $argc > 3) {
    fwrite(STDERR, "usage: php segment.php IMAGE [URL]\n");
    exit(2);
}
try {
    main(...array_slice($argv, 1));
} catch (RuntimeException $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}
