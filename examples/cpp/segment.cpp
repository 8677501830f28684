// Segment an image over REST: segment IMAGE [URL]

#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

#include <httplib.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

using nlohmann::json;

const unsigned char* bytes(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string to_base64(const std::string& data) {
    std::string text((data.size() + 2) / 3 * 4, '\0');
    EVP_EncodeBlock(bytes(text), bytes(data), static_cast<int>(data.size()));
    return text;
}

std::string from_base64(const std::string& text) {
    std::string data(text.size() / 4 * 3, '\0');
    if (EVP_DecodeBlock(bytes(data), bytes(text), static_cast<int>(text.size())) < 0) {
        throw std::runtime_error("the picture is not valid Base64");
    }
    const auto end = text.find_last_not_of('=');
    data.resize(data.size() - (text.size() - 1 - end));
    return data;
}

std::string sha256(const std::string& data) {
    std::string digest(EVP_MD_size(EVP_sha256()), '\0');
    EVP_Digest(data.data(), data.size(), bytes(digest), nullptr, EVP_sha256(), nullptr);
    std::ostringstream hex;
    hex << std::hex << std::setfill('0');
    for (const unsigned char byte : digest) hex << std::setw(2) << int{byte};
    return hex.str();
}

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    if (!(content << file.rdbuf())) throw std::runtime_error("cannot read " + path.string());
    return content.str();
}

void write(const std::string& name, const std::string& content) {
    std::ofstream file(name, std::ios::binary);
    if (!(file << content)) throw std::runtime_error("cannot write " + name);
}

/// The service's result: labelMap, size and image.
json segment(const std::string& image, const std::string& url) {
    httplib::Client client(url);
    client.set_read_timeout(100);  // s; the service gives up after 60
    const json body{{"image", to_base64(image)}};
    const auto response = client.Post("/semantic-segmentation", body.dump(), "application/json");
    if (!response) throw std::runtime_error("no answer from " + url + " (" + httplib::to_string(response.error()) + ")");
    const json answer = json::parse(response->body, nullptr, false);
    if (!answer.is_object() || !answer.contains("errorCode") || !answer.contains("errorMsg")) {
        throw std::runtime_error(url + " answered " + std::to_string(response->status) + ", but not in the service's format");
    }
    if (response->status != 200) {
        throw std::runtime_error(answer["errorCode"].dump() + ": " + answer["errorMsg"].get<std::string>());
    }
    return answer["result"];
}

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        std::cerr << "usage: segment IMAGE [URL]\n";
        return 2;
    }
    const std::filesystem::path path = argv[1];
    const std::string url = argc == 3 ? argv[2] : "http://localhost:8080";
    try {
        const json result = segment(read(path), url);

        const int height = result["size"][0], width = result["size"][1];
        std::string labels;  // a class id for each pixel, row by row
        for (const int id : result["labelMap"]) labels.push_back(static_cast<char>(id));
        const std::string name = path.stem().string();
        write(name + "_labels.pgm", "P5 " + std::to_string(width) + " " + std::to_string(height) + " 255\n" + labels);
        write(name + "_picture.jpg", from_base64(result["image"]));
        std::cout << name << "_labels.pgm: " << width << "x" << height << ", SHA-256 " << sha256(labels) << "\n";
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
    return 0;
}
